import { defineMetric } from './metric.ts';
import { curveOptions, curvePresets, measureCurve } from './shared/perturbation-curve.ts';

/**
 * Deletion: the area under the score of the class while the pixels are hidden, the most salient
 * first, 0 … 1 (in logits for `score: 'logit'`). With a good map the score falls at once, so lower
 * is better.
 *
 *   y_i = score of the picture without the first min(i · step, H·W) pixels,  i = 0 … n-1
 *   n = ceil(H·W / step) + 1
 *   deletion = (sum_i y_i - y_0 / 2 - y_{n-1} / 2) / (n - 1)
 *
 * The last step has the same weight as the others even if it has fewer pixels, as in the authors'
 * code. By default, hidden pixels become zeros of the normalized input, which is the mean color for
 * models trained with the mean of the data set. The cost is n model calls: 225 at 224² with the
 * default step of 224 pixels. The presets `xplique` (10 steps, zeros, the logit) and `torch-cam`
 * (20 steps, zeros) are the defaults of those libraries. Source: Petsiuk, Das & Saenko, RISE, BMVC
 * 2018, and its evaluation code.
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
