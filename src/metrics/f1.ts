import * as v from 'valibot';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { activated, type Overlap, overlapOf, thresholdOption } from './shared/threshold.ts';

/** 2 |A ∩ B| / (|A| + |B|), 0 … 1; 0 if both sets are empty, as in scikit-learn. */
const f1Of = ({ both, first, second }: Overlap): number =>
  both === 0 ? 0 : (2 * both) / (2 * both + first + second);

/** The mean of the F1 of each row of the picture. */
function rowWise(active: Uint8Array, regions: Uint8Array, width: number): number {
  const height = active.length / width;
  let sum = 0;
  for (let from = 0; from < active.length; from += width) {
    sum += f1Of(
      overlapOf(active.subarray(from, from + width), regions.subarray(from, from + width)),
    );
  }
  return sum / height;
}

/**
 * Binary F1 (the Dice coefficient) of the activated pixels A as a prediction of the pixels B of the
 * object, 0 … 1. Higher is better.
 *
 *   A = { map > min + threshold · (max - min) },  F1 = 2 |A ∩ B| / (|A| + |B|) = 2 IoU / (1 + IoU)
 *
 * A constant map has no activated pixel, and its score is 0. There is no value for a mask without
 * an object. The released code of the source averages over both classes, which is the pixel
 * accuracy. This metric does not do that.
 *
 * The preset `chefer-2021-rows` is the "mF1" in the tables of Chefer et al. and of papers that
 * follow them, such as IIA. Their code treats each row of the picture as a picture. So it is the
 * mean of the F1 of the rows, and rows without an object or without an activated pixel count 0. It
 * is far below the F1 of the picture. Use it only to compare with those tables. Source: Vasu &
 * Long, IASSA, WACV 2020, section 4 (threshold 0.3); evaluation code of Chefer, Gur & Wolf, CVPR
 * 2021.
 */
export const f1 = defineMetric({
  name: 'f1',
  title: 'F1',
  direction: 'higher',
  range: [0, 1],
  paper: 'Vasu & Long, Iterative and Adaptive Sampling with Spatial Attention, WACV 2020',
  needs: ['mask'],
  presets: {
    'iassa-2020': { threshold: 0.3, over: 'pixels' },
    'chefer-2021-rows': { threshold: 'mean', over: 'rows' },
  },
  options: v.object({
    threshold: v.optional(thresholdOption, 0.3),
    over: option(
      v.picklist(['pixels', 'rows']),
      'pixels',
      'pixels: one F1 over all pixels; rows: the mean of the F1 of each row',
    ),
  }),
  measure: (context, { threshold, over }) => {
    const active = activated(context.map.data, threshold);
    const regions = regionsOf(context);
    return (
      excludedWithoutObject(context) ?? {
        value:
          over === 'rows'
            ? rowWise(active, regions, at(context.map.shape, 1))
            : f1Of(overlapOf(active, regions)),
      }
    );
  },
});
