import { defineMetric } from './metric.ts';
import { confidenceOptions, confidencePresets, measureConfidence } from './shared/confidence.ts';

/**
 * Average drop in deletion (ADD): by how much of itself the class's probability p falls when the
 * picture is multiplied by what its map leaves, 1 - s with s the map by min-max, 0 … 1. A good
 * map takes away what counts: higher is better, 0 … 1.
 *
 *   drop = max(0, p(x) - p((1 - s) x + s baseline)) / p(x)
 *
 * Baselines as in average drop. A class of probability 0 gives no value. Two model calls. Source:
 * Jung & Oh, LIFT-CAM, ICCV 2021; drops cut at 0 as in the code of BEE (Barkan et al., AAAI 2025).
 */
export const averageDropInDeletion = defineMetric({
  name: 'average-drop-in-deletion',
  title: 'Average drop in deletion',
  direction: 'higher',
  range: [0, 1],
  paper: 'Jung & Oh, Towards Better Explanations of Class Activation Mapping, ICCV 2021',
  needs: ['model'],
  presets: confidencePresets,
  options: confidenceOptions,
  measure: (context, options) =>
    measureConfidence(
      context,
      options,
      'rest',
      ({ whole, seen }) => Math.max(0, whole - seen) / whole,
    ),
});
