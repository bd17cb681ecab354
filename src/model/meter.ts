import { FoveaError, throwIfCancelled } from '../errors.ts';
import { areClose } from '../tensor/statistics.ts';
import { slab, type Tensor } from '../tensor/tensor.ts';
import {
  type GradientRequest,
  INPUT,
  type Model,
  type ModelCalls,
  type ModelInside,
  type RunOptions,
} from './model.ts';
import { countOf } from './perturbation.ts';

/** The range of the scores of one class that a model returned for perturbed pictures. */
interface ScoreRange {
  readonly count: number;
  readonly low: number;
  readonly high: number;
}

/** The plain gradients of one class with respect to pictures. */
interface SeenGradients {
  readonly count: number;
  /** Whether all of them are equal up to rounding. */
  readonly isSame: boolean;
}

/**
 * Counts the pictures that go through models, and passes a caller's signal to every call. It also
 * keeps the ranges of scores and gradients, which show whether a map can mean anything.
 */
export interface Meter {
  /** The same model, metered. */
  wrap(model: Model): Model;
  calls(): ModelCalls;
  /** The scores of a class that `perturb` has returned so far; undefined if there are none. */
  scoresOf(target: number): ScoreRange | undefined;
  /** The gradients of a class with respect to pictures so far; undefined if there are none. */
  gradientsOf(target: number): SeenGradients | undefined;
}

const rowsOf = ({ shape: [rows = 0] }: { readonly shape: readonly number[] }): number => rows;

/** Notes the range of the scores of each class. */
function createRanges() {
  const ranges = new Map<number, ScoreRange>();
  return {
    of: (target: number) => ranges.get(target),
    note(targets: readonly number[], { data }: Tensor): void {
      for (const [t, target] of targets.entries()) {
        let { count, low, high } = ranges.get(target) ?? {
          count: 0,
          low: Number.POSITIVE_INFINITY,
          high: Number.NEGATIVE_INFINITY,
        };
        for (let at = t; at < data.length; at += targets.length) {
          const score = data[at] ?? Number.NaN;
          [count, low, high] = [count + 1, Math.min(low, score), Math.max(high, score)];
        }
        ranges.set(target, { count, low, high });
      }
    },
  };
}

/** Compares the gradients of each class with the first one. */
function createComparison() {
  const seen = new Map<number, SeenGradients & { readonly first: Float32Array }>();
  return {
    of: (target: number) => seen.get(target),
    note({ targets }: GradientRequest, gradients: Tensor): void {
      for (let row = 0; row < rowsOf(gradients); row++) {
        const target = targets[targets.length === 1 ? 0 : row];
        if (typeof target !== 'number') continue;
        const { data } = slab(gradients, row);
        const known = seen.get(target);
        const first = known?.first ?? data.slice();
        const isSame = (known?.isSame ?? true) && areClose(data, first);
        seen.set(target, { first, count: (known?.count ?? 0) + 1, isSame });
      }
    },
  };
}

/**
 * A meter at zero. Its models refuse each call after which there would be more than `budget`
 * forward passes.
 */
export function createMeter(signal?: AbortSignal, budget = Number.POSITIVE_INFINITY): Meter {
  const calls = { forward: 0, backward: 0 };
  const count = (forward: number, backward = 0): void => {
    throwIfCancelled(signal);
    if (calls.forward + forward > budget)
      throw new FoveaError(
        'usage',
        `the budget of ${budget} model calls is used up (${calls.forward} made, ${forward} more ` +
          'wanted): raise the budget, or ask for fewer',
      );
    calls.forward += forward;
    calls.backward += backward;
  };
  /** A request with the caller's signal, if it has none of its own. */
  const stoppable = <Options extends RunOptions>(options: Options): Options => ({
    ...options,
    signal: options.signal ?? signal,
  });
  const scores = createRanges();
  const slopes = createComparison();
  const wrapInside = (inside: ModelInside): ModelInside => ({
    ...inside,
    async activations(names, batch, options = {}) {
      count(rowsOf(batch));
      return inside.activations(names, batch, stoppable(options));
    },
    async gradients(request) {
      const rows = rowsOf(request.batch);
      count(rows, request.wrt.length > 0 ? rows : 0);
      const found = await inside.gradients(stoppable(request));
      const { wrt, at, rules } = request;
      const [first] = found.gradients;
      if (first && wrt[0] === INPUT && at === undefined && !rules) slopes.note(request, first);
      return found;
    },
    async pathIntegral(request) {
      const passes = rowsOf(request.batch) * request.points.length;
      count(passes, passes);
      return inside.pathIntegral(stoppable(request));
    },
    randomized: async (layers, random) => wrap(await inside.randomized(layers, random)),
  });
  const wrap = (model: Model): Model => ({
    ...model,
    inside: model.inside && wrapInside(model.inside),
    async classify(batch, options = {}) {
      count(rowsOf(batch));
      return model.classify(batch, stoppable(options));
    },
    async perturb(request) {
      count(countOf(request.perturbation));
      const found = await model.perturb(stoppable(request));
      scores.note(request.targets, found);
      return found;
    },
  });
  return {
    wrap,
    calls: () => ({ ...calls }),
    scoresOf: scores.of,
    gradientsOf: slopes.of,
  };
}
