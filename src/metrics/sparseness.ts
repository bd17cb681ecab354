import * as v from 'valibot';
import { defineMetric } from './metric.ts';

/**
 * Sparseness: the Gini index of the absolute values of the map, 0 … 1. It is 0 if all pixels are
 * equal, and (n-1)/n if only one of n pixels is not 0. Higher is sparser.
 *
 *   G = sum_i (2 i - n - 1) a_(i) / (n sum_i a_i),  a_(1) <= … <= a_(n) the sorted |map|
 *
 * There is no value for a map of zeros. Source: Chalasani et al., Concise Explanations of Neural
 * Networks using Adversarial Training, ICML 2020.
 */
export const sparseness = defineMetric({
  name: 'sparseness',
  title: 'Sparseness',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Chalasani et al., Concise Explanations of Neural Networks using Adversarial Training, ' +
    'ICML 2020',
  needs: [],
  presets: { gini: {} },
  options: v.object({}),
  measure: ({ map }) => {
    const sorted = Float64Array.from(map.data, Math.abs).sort();
    const n = sorted.length;
    let [weighted, sum] = [0, 0];
    sorted.forEach((value, i) => {
      weighted += (2 * (i + 1) - n - 1) * value;
      sum += value;
    });
    return sum > 0
      ? { value: weighted / (n * sum) }
      : { value: null, reason: 'the map is zero everywhere' };
  },
});
