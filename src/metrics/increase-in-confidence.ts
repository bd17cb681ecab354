import { defineMetric } from './metric.ts';
import { confidenceOptions, confidencePresets, measureConfidence } from './shared/confidence.ts';

/**
 * Increase in confidence (PIC): 1 if the class has a higher probability p for the picture
 * multiplied by s than for the whole picture, else 0. s is the map, scaled to 0 … 1 by its minimum
 * and maximum. The mean over pictures is the share of increases. Higher is better.
 *
 *   1 if p(s x + (1 - s) baseline) > p(x), else 0
 *
 * The baselines are those of `average-drop`. There is no value for a class of probability 0. The
 * cost is two model calls. Source: Chattopadhay et al., Grad-CAM++, WACV 2018.
 */
export const increaseInConfidence = defineMetric({
  name: 'increase-in-confidence',
  title: 'Increase in confidence',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Chattopadhay et al., Grad-CAM++: Improved Visual Explanations for Deep Convolutional ' +
    'Networks, WACV 2018',
  needs: ['model'],
  presets: confidencePresets,
  options: confidenceOptions,
  measure: (context, options) =>
    measureConfidence(context, options, 'map', ({ whole, seen }) => Number(seen > whole)),
});
