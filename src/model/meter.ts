import { throwIfCancelled } from '../errors.ts';
import type { Model, ModelCalls } from './model.ts';
import { countOf } from './perturbation.ts';

/** Counts the pictures that go through models, and passes a caller's signal to every call. */
export interface Meter {
  /** The same model, metered. */
  wrap(model: Model): Model;
  calls(): ModelCalls;
}

/** A meter at zero. */
export function createMeter(signal?: AbortSignal): Meter {
  let forward = 0;
  let backward = 0;
  const count = (pictures: number) => {
    throwIfCancelled(signal);
    forward += pictures;
  };
  const wrap = (model: Model): Model => ({
    name: model.name,
    labels: model.labels,
    preprocessing: model.preprocessing,
    output: model.output,
    fingerprint: model.fingerprint,
    runtime: model.runtime,
    warnings: model.warnings,
    classify: (batch, options) => {
      count(batch.shape[0]);
      return model.classify(batch, { signal, ...options });
    },
    perturb: (request) => {
      count(countOf(request.perturbation));
      return model.perturb({ signal, ...request });
    },
    ...(model.featureMaps && { featureMaps: () => model.featureMaps?.() ?? [] }),
    ...(model.attentionMaps && { attentionMaps: () => model.attentionMaps?.() ?? [] }),
    ...(model.biases && { biases: () => model.biases?.() ?? [] }),
    ...(model.activations && {
      activations: (names, batch, options) => {
        count(batch.shape[0]);
        return model.activations?.(names, batch, { signal, ...options }) as Promise<never>;
      },
    }),
    ...(model.gradients && {
      gradients: (request) => {
        count(request.batch.shape[0]);
        if (request.wrt.length > 0) backward += request.batch.shape[0];
        return model.gradients?.({ signal, ...request }) as Promise<never>;
      },
    }),
    ...(model.pathIntegral && {
      pathIntegral: (request) => {
        const passes = request.batch.shape[0] * request.points.length;
        count(passes);
        backward += passes;
        return model.pathIntegral?.({ signal, ...request }) as Promise<never>;
      },
    }),
    ...(model.weightLayers && { weightLayers: () => model.weightLayers?.() ?? [] }),
    ...(model.randomized && {
      randomized: async (layers, random) =>
        wrap((await model.randomized?.(layers, random)) as Model),
    }),
    dispose: () => model.dispose(),
  });
  return { wrap, calls: () => ({ forward, backward }) };
}
