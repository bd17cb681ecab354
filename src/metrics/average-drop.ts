import { defineMetric } from './metric.ts';
import { confidenceOptions, confidencePresets, measureConfidence } from './shared/confidence.ts';

/**
 * Average drop (ADP): the share of its probability p that the class loses if the picture is
 * multiplied by s, 0 … 1. s is the map, scaled to 0 … 1 by its minimum and maximum. Lower is
 * better. Published tables print 100 times the mean over pictures.
 *
 *   drop = max(0, p(x) - p(s x + (1 - s) baseline)) / p(x)
 *
 * With the baseline `zero`, as in all published code, the normalized input is multiplied. With
 * `black`, the picture itself is multiplied. There is no value for a class of probability 0. The
 * cost is two model calls. Source: Chattopadhay et al., Grad-CAM++, WACV 2018.
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
