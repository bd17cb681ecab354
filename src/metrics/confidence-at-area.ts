import * as v from 'valibot';
import { number, option } from '../options.ts';
import { extent } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';
import { curveOptions, scoresAlong } from './shared/perturbation-curve.ts';

const curve = curveOptions('zero');

/**
 * Confidence at an area: the highest score of the class while the most salient pixels appear, up to
 * a share of the picture, 0 … 1 (in logits for `score: 'logit'`). Higher is better.
 *
 *   max { y_i : x_i <= area },  x_i = share of pixels shown,  y_i = score of the class, as in
 *   `insertion`
 *
 * The score before the first pixel appears, at x_0 = 0, also counts. The curve is that of
 * `insertion`, up to `area`. The cost is 1 + area · n model calls for n steps. Source: Chen et al.,
 * Less is More: Fewer Interpretable Region via Submodular Subset Selection, ICLR 2024: the average
 * highest confidence within a share of the area.
 */
export const confidenceAtArea = defineMetric({
  name: 'confidence-at-area',
  title: 'Confidence at area',
  direction: 'higher',
  range: [0, 1],
  paper:
    'Chen et al., Less is More: Fewer Interpretable Region via Submodular Subset Selection, ' +
    'ICLR 2024',
  needs: ['model'],
  axes: { x: 'share of pixels shown', y: 'score of the class' },
  presets: {
    'half-zero': { area: 0.5, step: 0.02, baseline: 'zero', score: 'probability' },
    'half-blur': { area: 0.5, step: 0.02, baseline: 'rise-blur', score: 'probability' },
    'third-zero': { area: 0.3, step: 0.02, baseline: 'zero', score: 'probability' },
  },
  options: v.object({
    area: option(
      v.pipe(number, v.gtValue(0), v.maxValue(1)),
      0.5,
      'largest share of the pixels that are shown',
    ),
    ...curve.entries,
    step: v.optional(curve.entries.step.wrapped, 0.02),
  }),
  measure: async (context, { area, ...options }) => {
    const shown = await scoresAlong(context, options, 'show', area);
    return { value: extent(shown.y)[1], curve: shown };
  },
});
