import * as v from 'valibot';
import { defineMetric } from './metric.ts';

/**
 * Complexity: the entropy of the shares of the pixels in the map, in nats, 0 … ln(number of
 * pixels). It is 0 if only one pixel is not 0. Lower is simpler.
 *
 *   complexity = - sum_i p_i ln p_i,  p_i = |map_i| / sum_j |map_j|
 *
 * There is no value for a map of zeros. Source: Bhatt, Weller & Moura, Evaluating and Aggregating
 * Feature-based Model Explanations, IJCAI 2020.
 */
export const complexity = defineMetric({
  name: 'complexity',
  title: 'Complexity',
  direction: 'lower',
  range: [0, Number.POSITIVE_INFINITY],
  paper:
    'Bhatt, Weller & Moura, Evaluating and Aggregating Feature-based Model Explanations, ' +
    'IJCAI 2020',
  needs: [],
  presets: { 'bhatt-2020': {} },
  options: v.object({}),
  measure: ({ map }) => {
    let sum = 0;
    for (const value of map.data) sum += Math.abs(value);
    if (sum === 0) return { value: null, reason: 'the map is zero everywhere' };
    let entropy = 0;
    for (const value of map.data)
      if (value !== 0) entropy -= (Math.abs(value) / sum) * Math.log(Math.abs(value) / sum);
    return { value: Math.max(0, entropy) };
  },
});
