import * as v from 'valibot';
import { BASELINES, createBaseline } from '../model/input/baseline.ts';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { sum } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';

/**
 * Completeness: how far the sum of the map is from what it promises to divide among the pixels, the
 * difference between the scores of the picture x and of the baseline b. For methods that promise it
 * (Integrated Gradients, SHAP) and with the baseline and score that they were run with. 0 is
 * perfect; lower is better.
 *
 *   error = |sum_i map_i - (f(x) - f(b))| / |f(x) - f(b)|
 *
 * With `relative: false` the difference itself, in the unit of the score. No value where f(x) =
 * f(b). Two model calls. Source: Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks,
 * ICML 2017.
 */
export const completeness = defineMetric({
  name: 'completeness',
  title: 'Completeness error',
  direction: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  paper: 'Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017',
  needs: ['model'],
  presets: {
    relative: { baseline: 'black', score: 'logit', relative: true },
    absolute: { baseline: 'black', score: 'logit', relative: false },
  },
  options: v.object({
    baseline: option(
      v.picklist(BASELINES),
      'black',
      'the picture without information that the method was run with',
    ),
    score: option(
      v.picklist(['logit', 'probability']),
      'logit',
      'the score that the method explained',
    ),
    relative: option(v.boolean(), true, 'divide by the difference of the scores'),
  }),
  optionsFrom: ({ method, options }) => {
    const promised = method.completeness?.(options);
    return promised
      ? { options: promised }
      : { reason: 'the method does not promise completeness' };
  },
  measure: async (
    { model, input, map, target, batchSize, signal },
    { baseline, score, relative },
  ) => {
    const pixels = map.data.length;
    const ranks = Int32Array.from({ length: pixels }, (_, i) => i);
    const { data } = await model.perturb({
      input,
      perturbation: { kind: 'ranks', ranks, bounds: Int32Array.of(0, pixels, 0, 0) }, // all of the picture, none of it
      baseline: createBaseline(baseline, model, input),
      targets: [target.index],
      score,
      batchSize,
      signal,
    });
    const promised = at(data, 0) - at(data, 1);
    if (promised === 0)
      return { value: null, reason: 'the picture and the baseline have the same score' };
    const error = Math.abs(sum(map.data) - promised);
    return { value: relative ? error / Math.abs(promised) : error };
  },
});
