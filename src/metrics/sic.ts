import { defineMetric } from './metric.ts';
import {
  informationOptions,
  informationPresets,
  measureInformation,
} from './shared/information-curve.ts';

/**
 * Softmax information curve (SIC): the area under the probability of the class over the information
 * in the picture, 0 … 1. The most salient pixels are added step by step to a picture that is
 * interpolated from 1 % random pixels. Both axes are relative to the whole picture. Higher is
 * better. The score of a data set is the area under the median of the curves (`curveLevel`).
 *
 * There is no value if the probability of the whole picture is below `leastScore`, or if the random
 * pixels alone have at least the score or the information of the whole picture. The preset
 * `iia-2023` has the nine shares and the limit 0.5 of the code of BEE. That code does not normalize
 * pictures and uses raw logits. This metric normalizes pictures and uses probabilities.
 * `losslessSize` must use the same codec for all methods that are compared. The cost is 2 + the
 * number of shares, in model calls. Source: Kapishnikov et al., XRAI, ICCV 2019, as in PAIR's
 * `saliency` library.
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
