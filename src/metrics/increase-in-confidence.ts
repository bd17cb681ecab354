import { defineMetric } from './metric.ts';
import { confidenceOptions, confidencePresets, measureConfidence } from './shared/confidence.ts';

/**
 * Increase in confidence (PIC): 1 if the class's probability p is higher for the picture multiplied
 * by its map (min-max, 0 … 1) than for the picture, else 0; the mean over pictures is the share
 * of increases. Higher is better.
 *
 *   1 if p(s x + (1 - s) baseline) > p(x), else 0
 *
 * Baselines as in average drop. A class of probability 0 gives no value. Two model calls.
 * Source: Chattopadhay et al., Grad-CAM++, WACV 2018.
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
