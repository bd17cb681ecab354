import { defineMetric } from './metric.ts';
import { measureShares, shareOptions } from './shared/share-curve.ts';

/**
 * Positive perturbation: the area under the model's accuracy while 0, 10 … 90 % of the pixels are
 * hidden, most salient first. A good map makes the model fail at once: lower is better, 0 … 0.9
 * (published tables print 100 times that).
 *
 *   y_i = 1 if the class is first among the scores of the picture without its first floor(i/10 ·
 * H·W) pixels, else 0
 *   value = 0.1 (y_0/2 + y_1 + … + y_8 + y_9/2)
 *
 * `iia-2023-pos` is the POS of IIA's tables and hides by zeros of the normalised input;
 * `iia-2023-del` their DEL, the same with the class's probability for y; `chefer-2021` hides by
 * black, as the original does. 10 model calls. Source: Chefer, Gur & Wolf, CVPR 2021; Barkan et
 * al., IIA, ICCV 2023, after the code of the same authors' BEE.
 */
export const positivePerturbation = defineMetric({
  name: 'positive-perturbation',
  title: 'Positive perturbation',
  direction: 'lower',
  range: [0, 0.9],
  paper:
    'Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR 2021',
  needs: ['model'],
  axes: {
    x: 'share of pixels hidden, most salient first',
    y: 'accuracy or probability of the class',
  },
  presets: {
    'iia-2023-pos': { measure: 'accuracy', baseline: 'zero' },
    'iia-2023-del': { measure: 'probability', baseline: 'zero' },
    'chefer-2021': { measure: 'accuracy', baseline: 'black' },
  },
  options: shareOptions,
  measure: (context, options) => measureShares(context, options, 'positive'),
});
