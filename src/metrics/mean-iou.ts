import * as v from 'valibot';
import { meanRatio } from './levels.ts';
import { defineMetric } from './metric.ts';
import { excludedWithoutObject, regionsOf } from './shared/mask.ts';
import { activated, overlapOf, thresholdOption } from './shared/threshold.ts';

/**
 * Mean IoU of the map as a segmentation, 0 … 1, higher is better: the mean of the object's and
 * the background's intersection over union.
 *
 *   A = { map > mean(map) },  mIoU = (|A ∩ B| / |A ∪ B| + |Aᶜ ∩ Bᶜ| / |Aᶜ ∪ Bᶜ|) / 2
 *
 * Over a data set the published protocol sums intersections and unions first and divides then
 * (`dataSetLevel`). A class that is neither there nor predicted does not count. A constant map has
 * no activated pixel; a mask without object gives no value; void pixels are not counted. Source:
 * Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR 2021, and
 * its code.
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
