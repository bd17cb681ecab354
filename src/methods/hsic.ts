import * as v from 'valibot';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { quantile } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { gridUpsampling, upsampleGrid } from './shared/grid-sums.ts';
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
 * How much the scores y [n] depend on each cell d of the masks m [n, cells]: the Hilbert-Schmidt
 * independence criterion
 *
 *   HSIC_d = 1 / (n - 1)² · trace(K_d H L H)
 *
 *   K_d[a, b] = 1 if m_a[d] = m_b[d], else 0       L[a, b] = exp(-(y_a - y_b)² / (2 σ²))
 *
 * H is the centering matrix, and σ is the median of |y|. K_d = (1 + z zᵀ) / 2 with z = 2 m_d - 1,
 * so the trace is zᵀ H L H z / 2. The result [cells] is never negative. It is 0 for independent
 * cells, except for random variation.
 */
export function hsicScores(
  masks: ArrayLike<number>,
  scores: Float64Array,
  cells: number,
): Float64Array {
  const n = scores.length;
  const width = quantile(scores.map(Math.abs).sort(), 0.5) || Number.MIN_VALUE;
  const result = new Float64Array(cells);
  const centred = Float64Array.from({ length: n * cells }, (_, i) => 2 * masks[i] - 1);
  for (let d = 0; d < cells; d++) {
    let mean = 0;
    for (let a = 0; a < n; a++) mean += centred[a * cells + d] / n;
    for (let a = 0; a < n; a++) centred[a * cells + d] -= mean;
  }
  for (let a = 0; a < n; a++) {
    const sums = new Float64Array(cells);
    for (let b = 0; b < n; b++) {
      const likeness = Math.exp(-0.5 * ((scores[a] - scores[b]) / width) ** 2);
      for (let d = 0; d < cells; d++) sums[d] += likeness * centred[b * cells + d];
    }
    for (let d = 0; d < cells; d++) result[d] += centred[a * cells + d] * sums[d];
  }
  return result.map((sum) => Math.max(0, sum) / (2 * (n - 1) ** 2));
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
    s: option(
      v.pipe(integer, v.minValue(1), v.maxValue(64)),
      8,
      'cells of the mask grid in each direction',
    ),
    N: option(v.pipe(integer, v.minValue(2), v.maxValue(5000)), 500, 'number of masks'),
    baseline: baselineOption,
  }),

  async explain(context) {
    const { model, input, targets, options, random } = context;
    const { s, N, baseline } = options;
    const [, , height = 0, width = 0] = input.shape;
    const cells = s * s;
    const masks = binaryMasks(N, cells, random);
    const hard = gridUpsampling('nearest', s, height, width);
    const smooth = gridUpsampling('reflect', s, height, width);
    const valuesOf = (scores: Float64Array, n: number) =>
      hsicScores(masks.subarray(0, n * cells), scores.subarray(0, n), cells);
    const mapOf = (values: Float64Array): Tensor => {
      const map = upsampleGrid(values, smooth.rows.data, smooth.columns.data, [s, s]);
      return tensor([height, width], Float32Array.from(map));
    };
    const { scores, done } = await scoreInParts(context, {
      baseline: createBaseline(baseline, model, input),
      count: N,
      partSize: Math.ceil(N / OFFERS),
      perturbation: (from, to) => ({
        kind: 'grids',
        grids: tensor([to - from, s, s], masks.subarray(from * cells, to * cells)),
        ...hard,
        shifts: new Int32Array(2 * (to - from)),
      }),
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
