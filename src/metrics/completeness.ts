import * as v from 'valibot';
import { BASELINES, createBaseline } from '../model/input/baseline.ts';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { sum } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';

/**
 * Completeness error: the difference between the sum of the map and the value that it should have,
 * the score of the picture x minus the score of the baseline b. It is for methods whose maps should
 * have this sum, such as Integrated Gradients, with the baseline and score of the map. 0 is
 * perfect. Lower is better.
 *
 *   error = |sum_i map_i - (f(x) - f(b))| / |f(x) - f(b)|
 *
 * With `relative: false`, the error is not divided and has the unit of the score. There is no value
 * if f(x) = f(b). The cost is two model calls. Source: Sundararajan, Taly & Yan, Axiomatic
 * Attribution for Deep Networks, ICML 2017.
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
      'the baseline of the method that made the map',
    ),
    score: option(
      v.picklist(['logit', 'probability']),
      'logit',
      'the score that the method explained',
    ),
    relative: option(
      v.boolean(),
      true,
      'whether the error is divided by the difference of the scores',
    ),
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
      // The bounds show all pixels in the first picture and none in the second.
      perturbation: { kind: 'ranks', ranks, bounds: Int32Array.of(0, pixels, 0, 0) },
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
