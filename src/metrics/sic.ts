import { defineMetric } from './metric.ts';
import {
  informationOptions,
  informationPresets,
  measureInformation,
} from './shared/information-curve.ts';

/**
 * Softmax information curve: the area under the class's probability over the information in the
 * picture, while the most salient pixels are added to a picture interpolated from 1 % random
 * pixels; both relative to the whole picture. 0 … 1, higher is better. The score of a data set is
 * the area under the median of the curves (`curveLevel`).
 *
 * No value for a picture that the model is not sure of (`leastScore`), or that its random pixels
 * tell as well as the whole. `iia-2023` has the nine shares and the limit 0.5 of the code of BEE;
 * that code feeds pictures without normalisation and takes raw logits, which is not copied.
 * `losslessSize` has to be that of one codec for all methods that are compared. 2 + number of
 * shares model calls. Source: Kapishnikov et al., XRAI, ICCV 2019, after PAIR's `saliency` library.
 */
export const sic = defineMetric({
  name: 'sic',
  title: 'Softmax information curve (SIC)',
  direction: 'higher',
  range: [0, 1],
  paper: 'Kapishnikov et al., XRAI: Better Attributions Through Regions, ICCV 2019',
  needs: ['model', 'codec'],
  level: 'median-curve',
  axes: { x: 'share of the information shown', y: 'relative score of the class' },
  presets: informationPresets,
  options: informationOptions,
  measure: (context, options) => measureInformation(context, options, false),
});
