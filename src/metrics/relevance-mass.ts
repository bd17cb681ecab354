import * as v from 'valibot';
import { option } from '../options.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { massOnObject } from './shared/relevance.ts';

/**
 * Relevance mass accuracy: the share of the relevance R that lies on the pixels B of the object, 0
 * … 1. Higher is better.
 *
 *   mass = sum_{i in B} R_i / sum_i R_i,  R = max(map, 0), |map| or map²
 *
 * There is no value for a map without relevance or a mask without an object. Void pixels do not
 * count. Source: Arras, Osman & Samek, CLEVR-XAI, Information Fusion 2022.
 */
export const relevanceMass = defineMetric({
  name: 'relevance-mass',
  title: 'Relevance mass accuracy',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Arras, Osman & Samek, CLEVR-XAI: A Benchmark Dataset for the Ground Truth Evaluation ' +
    'of Neural Network Explanations, Information Fusion 2022',
  needs: ['mask'],
  presets: {
    positive: { pooling: 'positive' },
    absolute: { pooling: 'absolute' },
    squared: { pooling: 'squared' },
  },
  options: v.object({
    pooling: option(
      v.picklist(['positive', 'absolute', 'squared']),
      'positive',
      'which relevance a signed map has: its positive part, its absolute value, or its square',
    ),
  }),
  measure: (context, { pooling }) => {
    const value = massOnObject(context.map.data, regionsOf(context), pooling);
    return (
      excludedWithoutObject(context) ??
      (value === null ? { value, reason: 'the map has no relevance' } : { value })
    );
  },
});
