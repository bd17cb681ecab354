import { defineMetric } from './metric.ts';
import {
  informationOptions,
  informationPresets,
  measureInformation,
} from './shared/information-curve.ts';

/**
 * Accuracy information curve (AIC): the area under the accuracy over the information in the
 * picture, 0 … 1. Higher is better. The accuracy is 1 if the class has the highest score, else 0.
 * Apart from that, it equals the softmax information curve (`sic`). The score of a data set is the
 * area under the median of the curves (`curveLevel`).
 *
 * There is no value if the class is not the most probable one of the whole picture, or if it is the
 * most probable one of the random pixels alone. Presets and needs are those of `sic`. The cost is 2
 * + the number of shares, in model calls. Source: Kapishnikov et al., XRAI, ICCV 2019, as in PAIR's
 * `saliency` library.
 */
export const aic = defineMetric({
  name: 'aic',
  title: 'Accuracy information curve (AIC)',
  direction: 'higher',
  range: [0, 1],
  paper: 'Kapishnikov et al., XRAI: Better Attributions Through Regions, ICCV 2019',
  needs: ['model', 'codec'],
  level: 'median-curve',
  axes: { x: 'share of the information shown', y: 'accuracy' },
  presets: informationPresets,
  options: informationOptions,
  measure: (context, options) => measureInformation(context, options, true),
});
