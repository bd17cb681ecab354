import { defineMetric } from './metric.ts';
import { confidenceOptions, confidencePresets, measureConfidence } from './shared/confidence.ts';

/**
 * Average drop (ADP): by how much of itself the class's probability p falls when the picture is
 * multiplied by its map (min-max, 0 … 1). 0 … 1, lower is better; published tables print 100
 * times the mean over pictures.
 *
 *   drop = max(0, p(x) - p(s x + (1 - s) baseline)) / p(x)
 *
 * With baseline zero (all published code) the product is that of the normalised input; `black` is
 * the product of the picture itself. A class of probability 0 gives no value. Two model calls.
 * Source: Chattopadhay et al., Grad-CAM++, WACV 2018.
 */
export const averageDrop = defineMetric({
  name: 'average-drop',
  title: 'Average drop',
  direction: 'lower',
  range: [0, 1],
  paper:
    'Chattopadhay et al., Grad-CAM++: Improved Visual Explanations for Deep Convolutional ' +
    'Networks, WACV 2018',
  needs: ['model'],
  presets: confidencePresets,
  options: confidenceOptions,
  measure: (context, options) =>
    measureConfidence(
      context,
      options,
      'map',
      ({ whole, seen }) => Math.max(0, whole - seen) / whole,
    ),
});
