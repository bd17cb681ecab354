import { throwIfCancelled } from '../errors.ts';
import type { Model, ModelCalls, ModelInside } from './model.ts';
import { countOf } from './perturbation.ts';

/** Counts the pictures that go through models, and passes a caller's signal to every call. */
export interface Meter {
  /** The same model, metered. */
  wrap(model: Model): Model;
  calls(): ModelCalls;
}

/** A meter at zero. */
export function createMeter(signal?: AbortSignal): Meter {
  const calls = { forward: 0, backward: 0 };
  const count = (forward: number, backward = 0): void => {
    throwIfCancelled(signal);
    calls.forward += forward;
    calls.backward += backward;
  };
  const rowsOf = ({ shape: [rows = 0] }: { readonly shape: readonly number[] }): number => rows;

  const wrapInside = (inside: ModelInside): ModelInside => ({
    ...inside,
    activations(names, batch, options) {
      count(rowsOf(batch));
      return inside.activations(names, batch, { signal, ...options });
    },
    gradients(request) {
      const rows = rowsOf(request.batch);
      count(rows, request.wrt.length > 0 ? rows : 0);
      return inside.gradients({ signal, ...request });
    },
    pathIntegral(request) {
      const passes = rowsOf(request.batch) * request.points.length;
      count(passes, passes);
      return inside.pathIntegral({ signal, ...request });
    },
    randomized: async (layers, random) => wrap(await inside.randomized(layers, random)),
  });
  const wrap = (model: Model): Model => ({
    ...model,
    inside: model.inside && wrapInside(model.inside),
    classify(batch, options) {
      count(rowsOf(batch));
      return model.classify(batch, { signal, ...options });
    },
    perturb(request) {
      count(countOf(request.perturbation));
      return model.perturb({ signal, ...request });
    },
  });
  return { wrap, calls: () => ({ ...calls }) };
}
