import { defineMetric } from './metric.ts';
import { curveOptions, curvePresets, measureCurve } from './shared/perturbation-curve.ts';

/**
 * Insertion: the area under the class's score while the pixels appear on the blurred picture, most
 * salient first. A good map makes it rise at once: higher is better, 0 … 1 (in logits for `score:
 * 'logit'`).
 *
 *   y_i = score of the blurred picture with the first min(i · step, H·W) pixels sharp,  i = 0 …
 * n-1,  n = ceil(H·W / step) + 1
 *   insertion = (sum_i y_i - y_0 / 2 - y_{n-1} / 2) / (n - 1)
 *
 * The last step counts as a whole one even where fewer pixels are left, as in the authors' code.
 * The blur is theirs: 11×11 kernel of sigma 5 on the normalised input, zeros beyond the border.
 * Costs n model calls: 225 at 224² with the default step of 224 pixels. Presets `xplique` (10
 * steps, zeros, the logit) and `torch-cam` (20 steps, zeros) are those libraries' defaults. Source:
 * Petsiuk, Das & Saenko, RISE, BMVC 2018, and its evaluation code.
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
