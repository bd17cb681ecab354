import { z } from 'zod';
import { excludedWithoutObject } from './internal/mask.ts';
import { activated, overlapOf } from './internal/threshold.ts';
import { defineMetric } from './metric.ts';

/**
 * Binary F1 of the activated pixels A as a prediction of the object's pixels B (the Dice coefficient), 0 … 1, higher
 * is better:
 *
 *   A = { map > min + threshold · (max - min) },  F1 = 2 |A ∩ B| / (|A| + |B|) = 2 IoU / (1 + IoU)
 *
 * A constant map has no activated pixel and scores 0; a mask without object gives no value. The released code of the
 * source averages over both classes instead, which is the pixel accuracy; that is not offered under this name.
 * Source: Vasu & Long, IASSA, WACV 2020, section 4 (threshold 0.3).
 */
export const f1 = defineMetric({
  name: 'f1',
  title: 'F1',
  direction: 'higher',
  range: [0, 1],
  paper: 'Vasu & Long, Iterative and Adaptive Sampling with Spatial Attention, WACV 2020',
  needs: ['mask'],
  presets: { 'iassa-2020': { threshold: 0.3 } },
  options: z.object({ threshold: z.number().min(0).max(1).default(0.3).describe("share of the map's range above which a pixel counts as activated") }),
  measure: ({ map, mask }, { threshold }) => {
    const { both, first, second } = overlapOf(activated(map.data, threshold), mask);
    return excludedWithoutObject(mask) ?? { value: (2 * both) / (2 * both + first + second) };
  },
});
