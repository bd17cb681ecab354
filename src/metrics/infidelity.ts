import * as v from 'valibot';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { withEmptyWindow } from '../model/perturbation.ts';
import { integer, number, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';

/**
 * Draws squares with a side of `side` pixels inside the picture, four integers each: top, left,
 * bottom, right.
 */
function drawSquares(
  samples: number,
  side: number,
  height: number,
  width: number,
  random: Random,
): Int32Array {
  const squares = new Int32Array(4 * samples);
  for (let k = 0; k < samples; k++) {
    const [top, left] = [random.integer(height - side + 1), random.integer(width - side + 1)];
    squares.set([top, left, top + side, left + side], 4 * k);
  }
  return squares;
}

/**
 * The contribution of each pixel to the score according to the map, [H · W]. For `contributions` it
 * is the map itself. For `weights` it is the map times the change of the pixel, sum_c (x - b).
 */
function contributions(
  map: Tensor,
  input: Tensor,
  baseline: Tensor,
  kind: 'contributions' | 'weights',
): Float64Array {
  const area = map.data.length;
  const constant = baseline.data.length < input.data.length;
  return Float64Array.from(map.data, (value, i) => {
    if (kind === 'contributions') return value;
    let lost = 0;
    for (let c = 0; c < input.shape[1]; c++)
      lost += input.data[c * area + i] - baseline.data[constant ? c : c * area + i];
    return value * lost;
  });
}

function sumOver(
  values: Float64Array,
  width: number,
  [top, left, bottom, right]: Int32Array,
): number {
  let sum = 0;
  for (let y = top; y < bottom; y++)
    for (let x = left; x < right; x++) sum += values[y * width + x];
  return sum;
}

/** The factor β ≥ 0 that minimizes sum (β a - b)²: max(0, sum a b / sum a²), or 0 if a is 0. */
function bestScale(a: Float64Array, b: Float64Array): number {
  const aa = a.reduce((sum, x) => sum + x * x, 0);
  return aa > 0 ? Math.max(0, a.reduce((sum, x, i) => sum + x * b[i], 0) / aa) : 0;
}

/**
 * Infidelity: the mean squared error if the map predicts the loss of the class score when a random
 * square S is replaced by the baseline b. Its unit is the unit of the score, squared. 0 is perfect.
 * Lower is better.
 *
 *   infidelity = E_S [ (β sum_{i in S} φ_i - (f(x) - f(x_S)))² ]
 *
 * If the map contains contributions (`map: 'contributions'`), φ is the map. If it contains weights,
 * such as gradients, φ is map · sum_c (x - b), and the sum is Iᵀ map for the perturbation I = (x -
 * b) on S. β is 1. With `scale`, β is the factor that fits best, so that the unit of the map does
 * not matter. β is never negative, because otherwise a map of the opposite sign would be perfect.
 * The cost is `samples` + 1 model calls. Source: Yeh et al., On the (In)fidelity and Sensitivity of
 * Explanations, NeurIPS 2019: their square removal, and their optimal scaling.
 */
export const infidelity = defineMetric({
  name: 'infidelity',
  title: 'Infidelity',
  direction: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  paper: 'Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019',
  needs: ['model'],
  presets: {
    'squares-scaled': {
      samples: 200,
      side: 0.2,
      baseline: 'zero',
      score: 'probability',
      map: 'contributions',
      scale: true,
    },
    'squares-logit': {
      samples: 200,
      side: 0.2,
      baseline: 'zero',
      score: 'logit',
      map: 'contributions',
      scale: false,
    },
  },
  options: v.object({
    samples: option(v.pipe(integer, v.minValue(1)), 200, 'number of random squares'),
    side: option(
      v.pipe(number, v.gtValue(0), v.maxValue(1)),
      0.2,
      'side of a square, as a share of the shorter side of the picture',
    ),
    baseline: baselineOption,
    score: option(
      v.picklist(['probability', 'logit']),
      'probability',
      'the score whose loss is predicted',
    ),
    map: option(
      v.picklist(['contributions', 'weights']),
      'contributions',
      'what the map contains: contributions to the score, or weights such as gradients',
    ),
    scale: option(v.boolean(), true, 'whether the map is multiplied by the factor that fits best'),
  }),
  measure: async (
    { model, input, map, target, random, batchSize, signal, onProgress },
    options,
  ) => {
    const [height, width] = map.shape;
    const { samples } = options;
    const side = Math.max(1, Math.round(options.side * Math.min(height, width)));
    const squares = drawSquares(samples, side, height, width, random);
    const baseline = createBaseline(options.baseline, model, input);
    const { data } = await model.perturb({
      input,
      // The first window is empty, so the first score is that of the whole picture.
      perturbation: {
        kind: 'windows',
        windows: withEmptyWindow(squares),
        keep: 'outside',
      },
      baseline,
      targets: [target.index],
      score: options.score,
      batchSize,
      signal,
      onProgress: (done, total) => onProgress?.(done / total),
    });
    const shares = contributions(map, input, baseline, options.map);
    const forecast = Float64Array.from({ length: samples }, (_, k) =>
      sumOver(shares, width, squares.subarray(4 * k, 4 * k + 4)),
    );
    const lost = Float64Array.from({ length: samples }, (_, k) => data[0] - data[k + 1]);
    const scale = options.scale ? bestScale(forecast, lost) : 1;
    return {
      value: lost.reduce((sum, loss, k) => sum + (scale * forecast[k] - loss) ** 2, 0) / samples,
    };
  },
});
