import { defineMetric } from './metric.ts';
import { curveOptions, curvePresets, measureCurve } from './shared/perturbation-curve.ts';

/**
 * Deletion: the area under the class's score while the pixels are hidden, most salient first. A
 * good map makes it fall at once: lower is better, 0 … 1 (in logits for `score: 'logit'`).
 *
 *   y_i = score of the picture without the first min(i · step, H·W) pixels,  i = 0 … n-1,  n =
 * ceil(H·W / step) + 1
 *   deletion = (sum_i y_i - y_0 / 2 - y_{n-1} / 2) / (n - 1)
 *
 * The last step counts as a whole one even where fewer pixels are left, as in the authors' code.
 * Hidden pixels are zeros of the normalised input, the mean colour for models trained with the data
 * set's mean. Costs n model calls: 225 at 224² with the default step of 224 pixels. Presets
 * `xplique` (10 steps, zeros, the logit) and `torch-cam` (20 steps, zeros) are those libraries'
 * defaults. Source: Petsiuk, Das & Saenko, RISE, BMVC 2018, and its evaluation code.
 */
export const deletion = defineMetric({
  name: 'deletion',
  title: 'Deletion',
  direction: 'lower',
  range: [0, 1],
  paper: 'Petsiuk, Das & Saenko, RISE, BMVC 2018',
  needs: ['model'],
  axes: { x: 'share of pixels hidden', y: 'score of the class' },
  presets: curvePresets('zero'),
  options: curveOptions('zero'),
  measure: (context, options) => measureCurve(context, options, 'hide'),
});
