import { createBaseline } from '../model/input/baseline.ts';
import { renderPerturbation } from '../model/render-perturbation.ts';
import { mean, pearson } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { confidenceOptions, measureConfidence, minMaxShares } from './shared/confidence.ts';

/** The harmonic mean of shares from 0 to 1; 0 if one of them is 0. */
const harmonicMean = (shares: readonly number[]): number =>
  shares.some((share) => share <= 0)
    ? 0
    : shares.length / shares.reduce((total, share) => total + 1 / share, 0);

/**
 * ADCC: average drop, coherency and complexity in one number, 0 … 1. Higher is better. s is the
 * map, scaled to 0 … 1 by its minimum and maximum. p is the probability of the class, and map(x) is
 * the map of a picture x:
 *
 *   coherency  = (1 + pearson(map(x), map(s x + (1 - s) baseline))) / 2
 *   complexity = mean of s
 *   drop       = max(0, p(x) - p(s x + (1 - s) baseline)) / p(x)
 *   ADCC       = 3 / (1 / coherency + 1 / (1 - complexity) + 1 / (1 - drop))
 *
 * For a constant map, s is 0, so the whole picture is hidden. ADCC is 0 if one of the three terms
 * is 0. There is no value if the probability of the class is 0. The method runs once more, and the
 * metric costs two model calls. The equation of the paper uses the correlation itself. The authors'
 * code scales it to 0 … 1, because the harmonic mean needs positive terms, and so does this metric.
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
  options: confidenceOptions,
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
    const masks = tensor([1, ...map.shape], shares);
    const seen = renderPerturbation(input, baseline, { kind: 'masks', masks });
    const again = await explain({ input: seen });
    const coherency = (1 + pearson(map.data, again.data)) / 2;
    return { value: harmonicMean([coherency, 1 - mean(shares), 1 - dropped.value]) };
  },
});
