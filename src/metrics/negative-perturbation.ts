import { defineMetric } from './metric.ts';
import { measureShares, shareOptions } from './shared/share-curve.ts';

/**
 * Negative perturbation: the area under the accuracy of the model while 0, 10 … 90 % of the pixels
 * are hidden, the least salient first, 0 … 0.9 (published tables print 100 times this value). With
 * a good map, the pixels that the model needs stay, so higher is better.
 *
 *   y_i = 1 if the class has the highest score without the last floor(i/10 · H·W) pixels, else 0
 *   value = 0.1 (y_0/2 + y_1 + … + y_8 + y_9/2)
 *
 * The preset `iia-2023-neg` is the NEG of IIA's tables: hidden pixels become zeros of the
 * normalized input. `iia-2023-ins` is their INS: the same with the probability of the class as y.
 * It is not the insertion of RISE. `chefer-2021` replaces hidden pixels by black, as in the
 * original. The cost is 10 model calls. Source: Chefer, Gur & Wolf, CVPR 2021; Barkan et al., IIA,
 * ICCV 2023, as in the code of BEE by the same authors.
 */
export const negativePerturbation = defineMetric({
  name: 'negative-perturbation',
  title: 'Negative perturbation',
  direction: 'higher',
  range: [0, 0.9],
  paper:
    'Chefer, Gur & Wolf, Transformer Interpretability Beyond Attention Visualization, CVPR 2021',
  needs: ['model'],
  axes: {
    x: 'share of pixels hidden, least salient first',
    y: 'accuracy or probability of the class',
  },
  presets: {
    'iia-2023-neg': { measure: 'accuracy', baseline: 'zero' },
    'iia-2023-ins': { measure: 'probability', baseline: 'zero' },
    'chefer-2021': { measure: 'accuracy', baseline: 'black' },
  },
  options: shareOptions,
  measure: (context, options) => measureShares(context, options, 'negative'),
});
