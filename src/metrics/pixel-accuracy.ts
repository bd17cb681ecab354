import * as v from 'valibot';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { activated, overlapOf, thresholdOption } from './shared/threshold.ts';

/**
 * Pixel accuracy of the map as a segmentation: the share of pixels that are either activated and on
 * the object, or not activated and on the background, 0 … 1. Higher is better.
 *
 *   A = { map > mean(map) },  accuracy = (|A ∩ B| + |Aᶜ ∩ Bᶜ|) / (number of pixels)
 *
 * For a data set, the published protocol sums both counts first (`dataSetLevel`). A constant map
 * has no activated pixel. There is no value for a mask without an object. Void pixels do not count.
 * Source: Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR
 * 2021, and its code.
 */
export const pixelAccuracy = defineMetric({
  name: 'pixel-accuracy',
  title: 'Pixel accuracy',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR 2021',
  needs: ['mask'],
  level: 'data-set',
  presets: { 'chefer-2021': { threshold: 'mean' } },
  options: v.object({
    threshold: v.optional(thresholdOption, 'mean'),
  }),
  measure: (context, { threshold }) => {
    const { both, first, second, neither } = overlapOf(
      activated(context.map.data, threshold),
      regionsOf(context),
    );
    const ratio = [both + neither, both + first + second + neither] as const;
    return excludedWithoutObject(context) ?? { value: ratio[0] / ratio[1], ratios: [ratio] };
  },
});
