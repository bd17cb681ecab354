import { defineMetric } from './metric.ts';
import {
  informationOptions,
  informationPresets,
  measureInformation,
} from './shared/information-curve.ts';

/**
 * Accuracy information curve: as the softmax information curve (sic), with 1 where the class is
 * first among the scores and 0 where it is not in place of its probability: the area under the
 * accuracy over the information in the picture. 0 … 1, higher is better. The score of a data set
 * is the area under the median of the curves (`curveLevel`).
 *
 * No value for a picture whose class is not the model's first, or is still first for its random
 * pixels alone. Presets and needs as sic. 2 + number of shares model calls. Source: Kapishnikov et
 * al., XRAI, ICCV 2019, after PAIR's `saliency` library.
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
