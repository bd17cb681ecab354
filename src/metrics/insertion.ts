import { defineMetric } from './metric.ts';
import { curveOptions, curvePresets, measureCurve } from './shared/perturbation-curve.ts';

/**
 * Insertion: the area under the score of the class while the pixels appear on the blurred picture,
 * the most salient first, 0 … 1 (in logits for `score: 'logit'`). With a good map the score rises
 * at once, so higher is better.
 *
 *   y_i = score if the first min(i · step, H·W) pixels are sharp and the rest blurred,  i = 0 … n-1
 *   n = ceil(H·W / step) + 1
 *   insertion = (sum_i y_i - y_0 / 2 - y_{n-1} / 2) / (n - 1)
 *
 * The last step has the same weight as the others even if it has fewer pixels, as in the authors'
 * code. The blur is also that of the authors' code: an 11×11 kernel of sigma 5 on the normalized
 * input, with zeros outside the picture. The cost is n model calls: 225 at 224² with the default
 * step of 224 pixels. The presets `xplique` (10 steps, zeros, the logit) and `torch-cam` (20 steps,
 * zeros) are the defaults of those libraries. Source: Petsiuk, Das & Saenko, RISE, BMVC 2018, and
 * its evaluation code.
 */
export const insertion = defineMetric({
  name: 'insertion',
  title: 'Insertion',
  direction: 'higher',
  range: [0, 1],
  paper: 'Petsiuk, Das & Saenko, RISE, BMVC 2018',
  needs: ['model'],
  axes: { x: 'share of pixels shown', y: 'score of the class' },
  presets: curvePresets('rise-blur'),
  options: curveOptions('rise-blur'),
  measure: (context, options) => measureCurve(context, options, 'show'),
});
