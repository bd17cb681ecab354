import * as v from 'valibot';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { tileMasks } from '../model/perturbation.ts';
import { integer, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { hsicScores } from './shared/dependence.ts';
import { gridMap, gridOption } from './shared/grid-sums.ts';
import { latinHypercube } from './shared/latin-hypercube.ts';
import { scoreInParts } from './shared/score-parts.ts';

/** The masks are scored in this many parts. An intermediate map is offered after each part. */
const OFFERS = 8;
/** No map is offered before this many masks, because fewer masks cannot show dependence. */
const MASKS_BEFORE_OFFERING = 32;

/**
 * Masks [count, cells] of 0 and 1: a Latin hypercube, rounded. Each cell is shown in half of the
 * masks.
 */
export function binaryMasks(count: number, cells: number, random: Random): Float32Array {
  return latinHypercube(count, cells, random).map((value) => (value < 0.5 ? 0 : 1));
}

/**
 * HSIC attribution (Novello, Fel & Vigouroux 2022): how much the score depends on whether a cell of
 * the picture is shown. The map [H, W] is 0 or positive, without a unit.
 */
export const hsic = defineMethod({
  name: 'hsic',
  title: 'HSIC',
  family: 'perturbation',
  paper:
    'Novello, Fel & Vigouroux, Making Sense of Dependence: Efficient Black-box Explanations ' +
    'Using Dependence Measure, NeurIPS 2022, arXiv:2206.06219',
  needs: ['black-box'],
  signed: false,
  cost: 'N: 500',
  options: v.object({
    s: gridOption(8),
    N: option(v.pipe(integer, v.minValue(2), v.maxValue(5000)), 500, 'number of masks'),
    baseline: baselineOption,
  }),
  withBudget(options, budget) {
    requireBudget('hsic', budget, 2);
    return { ...options, N: Math.min(options.N, budget) };
  },

  async explain(context) {
    const { model, input, targets, options, random } = context;
    const { s, N, baseline } = options;
    const [, , height = 0, width = 0] = input.shape;
    const cells = s * s;
    const masks = binaryMasks(N, cells, random);
    const valuesOf = (scores: Float64Array, n: number) =>
      hsicScores(masks.subarray(0, n * cells), scores.subarray(0, n), cells);
    const mapOf = (values: Float64Array) => gridMap(values, s, height, width);
    const { scores, done } = await scoreInParts(context, {
      baseline: createBaseline(baseline, model, input),
      count: N,
      partSize: Math.ceil(N / OFFERS),
      perturbation: tileMasks(masks, s, height, width),
      intermediate: (_, own, n) =>
        n < MASKS_BEFORE_OFFERING
          ? undefined
          : { map: mapOf(valuesOf(own, n)), detail: { masks: n } },
    });
    return targets.map((_, t): Attribution => {
      const values = valuesOf(scores[t] ?? new Float64Array(), done);
      return { map: mapOf(values), extras: { masks: done, dependence: [...values] } };
    });
  },
});
