import * as v from 'valibot';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { activated, type Overlap, overlapOf, thresholdOption } from './shared/threshold.ts';

/** 2 |A ∩ B| / (|A| + |B|); 0 where both are empty, as in scikit-learn. */
const f1Of = ({ both, first, second }: Overlap): number =>
  both === 0 ? 0 : (2 * both) / (2 * both + first + second);

/** The mean over the rows of the picture of each row's own F1. */
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
 * Binary F1 of the activated pixels A as a prediction of the object's pixels B (the Dice
 * coefficient), 0 … 1, higher is better:
 *
 *   A = { map > min + threshold · (max - min) },  F1 = 2 |A ∩ B| / (|A| + |B|) = 2 IoU / (1 + IoU)
 *
 * A constant map has no activated pixel and scores 0; a mask without object gives no value. The
 * released code of the source averages over both classes instead, which is the pixel accuracy; that
 * is not offered under this name.
 *
 * Preset `chefer-2021-rows` is the "mF1" of the tables that follow Chefer et al. (IIA's among
 * them): their code takes each row of the picture for a picture, so it is the mean of the F1 of the
 * rows, and rows without object or activated pixel count 0. It is far below the F1 of the picture
 * and is for comparison with those tables alone. Source: Vasu & Long, IASSA, WACV 2020, section 4
 * (threshold 0.3); evaluation code of Chefer, Gur & Wolf, CVPR 2021.
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
      'one F1 over all pixels, or the mean of the F1 of each row',
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
