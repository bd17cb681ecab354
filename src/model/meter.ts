import { throwIfCancelled } from '../errors.ts';
import type { Model, ModelCalls, ModelInside, RunOptions } from './model.ts';
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
  /** A request with the caller's signal, if it has none of its own. */
  const stoppable = <Options extends RunOptions>(options: Options): Options => ({
    ...options,
    signal: options.signal ?? signal,
  });
  const rowsOf = ({ shape: [rows = 0] }: { readonly shape: readonly number[] }): number => rows;

  const wrapInside = (inside: ModelInside): ModelInside => ({
    ...inside,
    activations(names, batch, options = {}) {
      count(rowsOf(batch));
      return inside.activations(names, batch, stoppable(options));
    },
    gradients(request) {
      const rows = rowsOf(request.batch);
      count(rows, request.wrt.length > 0 ? rows : 0);
      return inside.gradients(stoppable(request));
    },
    pathIntegral(request) {
      const passes = rowsOf(request.batch) * request.points.length;
      count(passes, passes);
      return inside.pathIntegral(stoppable(request));
    },
    randomized: async (layers, random) => wrap(await inside.randomized(layers, random)),
  });
  const wrap = (model: Model): Model => ({
    ...model,
    inside: model.inside && wrapInside(model.inside),
    classify(batch, options = {}) {
      count(rowsOf(batch));
      return model.classify(batch, stoppable(options));
    },
    perturb(request) {
      count(countOf(request.perturbation));
      return model.perturb(stoppable(request));
    },
  });
  return { wrap, calls: () => ({ ...calls }) };
}
