import * as v from 'valibot';
import { meanRatio } from './levels.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { activated, overlapOf, thresholdOption } from './shared/threshold.ts';

/**
 * Mean IoU of the map as a segmentation: the mean of the intersection over union of the object and
 * that of the background, 0 … 1. Higher is better.
 *
 *   A = { map > mean(map) },  mIoU = (|A ∩ B| / |A ∪ B| + |Aᶜ ∩ Bᶜ| / |Aᶜ ∪ Bᶜ|) / 2
 *
 * For a data set, the published protocol first sums intersections and unions and then divides
 * (`dataSetLevel`). A class that is neither present nor predicted does not count. A constant map
 * has no activated pixel. There is no value for a mask without an object. Void pixels do not count.
 * Source: Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR
 * 2021, and its code.
 */
export const meanIou = defineMetric({
  name: 'mean-iou',
  title: 'Mean IoU',
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
    const wrong = first + second;
    const ratios = [[both, both + wrong] as const, [neither, neither + wrong] as const];
    return excludedWithoutObject(context) ?? { value: meanRatio(ratios), ratios };
  },
});
