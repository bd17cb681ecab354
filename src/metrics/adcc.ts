import * as v from 'valibot';
import { createBaseline } from '../model/input/baseline.ts';
import { mean, pearson } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { confidenceOptions, measureConfidence, minMaxShares } from './shared/confidence.ts';

/** x ⊙ s: the picture [1, C, H, W] seen through a map of shares [H, W]; the rest is the baseline. */
function seenThrough(input: Tensor, shares: ArrayLike<number>, baseline: Tensor): Tensor {
  const pixels = shares.length;
  const each = baseline.data.length / (input.data.length / pixels); // values per channel
  const data = Float32Array.from(input.data, (value, i) => {
    const pixel = i % pixels;
    const fill = baseline.data[Math.floor(i / pixels) * each + (each > 1 ? pixel : 0)];
    return shares[pixel] * value + (1 - shares[pixel]) * fill;
  });
  return tensor(input.shape, data);
}

/** The harmonic mean of shares 0 … 1; 0 if one of them is 0. */
const harmonicMean = (shares: readonly number[]): number =>
  shares.some((share) => share <= 0)
    ? 0
    : shares.length / shares.reduce((total, share) => total + 1 / share, 0);

/**
 * ADCC: average drop, coherency and complexity in one number, 0 … 1, higher is better. With s the
 * map scaled to 0 … 1 (min-max), p the probability of the class, and map(x) the map of a picture:
 *
 *   coherency  = (1 + pearson(map(x), map(s x + (1 - s) baseline))) / 2
 *   complexity = mean of s
 *   drop       = max(0, p(x) - p(s x + (1 - s) baseline)) / p(x)
 *   ADCC       = 3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop))
 *
 * A constant map has s = 0: nothing of the picture is seen. 0 if one of the three terms is 0; no
 * value if the probability of the class is 0. Runs the method once more, and costs two model calls.
 * The paper's equation has the correlation itself; the authors' code scales it to 0 … 1, as here,
 * since the harmonic mean needs positive terms.
 * Source: Poppi, Cornia, Baraldi & Cucchiara, Revisiting the Evaluation of Class Activation Mapping
 * for Explainability, CVPR Workshops 2021, equations 2 to 5.
 */
export const adcc = defineMetric({
  name: 'adcc',
  title: 'ADCC',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Poppi, Cornia, Baraldi & Cucchiara, Revisiting the Evaluation of Class Activation Mapping ' +
    'for Explainability, CVPR Workshops 2021',
  needs: ['model', 'explain'],
  presets: { 'poppi-2021': { baseline: 'zero' }, black: { baseline: 'black' } },
  options: v.object({ ...confidenceOptions.entries }),
  measure: async (context, options) => {
    const { model, input, map, explain } = context;
    const shares = minMaxShares(map.data);
    const dropped = await measureConfidence(
      context,
      options,
      'map',
      ({ whole, seen }) => Math.max(0, whole - seen) / whole,
    );
    if (dropped.value === null) return dropped;
    const baseline = createBaseline(options.baseline, model, input);
    const again = await explain({ input: seenThrough(input, shares, baseline) });
    const coherency = (1 + pearson(map.data, again.data)) / 2;
    return { value: harmonicMean([coherency, 1 - mean(shares), 1 - dropped.value]) };
  },
});
