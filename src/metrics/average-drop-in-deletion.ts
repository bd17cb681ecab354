import { defineMetric } from './metric.ts';
import { confidenceOptions, confidencePresets, measureConfidence } from './shared/confidence.ts';

/**
 * Average drop in deletion (ADD): the share of its probability p that the class loses if the
 * picture is multiplied by 1 - s, 0 … 1. s is the map, scaled to 0 … 1 by its minimum and maximum.
 * A good map removes what the model needs, so higher is better.
 *
 *   drop = max(0, p(x) - p((1 - s) x + s baseline)) / p(x)
 *
 * The baselines are those of `average-drop`. There is no value for a class of probability 0. The
 * cost is two model calls. Source: Jung & Oh, LIFT-CAM, ICCV 2021. Negative drops count as 0, as in
 * the code of BEE (Barkan et al., AAAI 2025).
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
