import * as v from 'valibot';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { activated, overlapOf, thresholdOption } from './shared/threshold.ts';

/**
 * Intersection over union of the activated pixels A and the pixels B of the object, 0 … 1. Higher
 * is better.
 *
 *   A = { map > min + threshold · (max - min) },  IoU = |A ∩ B| / |A ∪ B|
 *
 * A constant map has no activated pixel, and its score is 0. There is no value for a mask without
 * an object. Source: Vasu & Long, IASSA, WACV 2020, section 4 (threshold 0.3).
 */
export const iou = defineMetric({
  name: 'iou',
  title: 'Intersection over union',
  direction: 'higher',
  range: [0, 1],
  paper: 'Vasu & Long, Iterative and Adaptive Sampling with Spatial Attention, WACV 2020',
  needs: ['mask'],
  presets: { 'iassa-2020': { threshold: 0.3 } },
  options: v.object({
    threshold: v.optional(thresholdOption, 0.3),
  }),
  measure: (context, { threshold }) => {
    const { both, first, second } = overlapOf(
      activated(context.map.data, threshold),
      regionsOf(context),
    );
    return excludedWithoutObject(context) ?? { value: both / (both + first + second) };
  },
});
