import * as v from 'valibot';
import { gaussianFilter } from '../image/gaussian-filter.ts';
import { INPUT } from '../model/model.ts';
import { nextTask } from '../next-task.ts';
import { integer, number, option } from '../options.ts';
import { slab, tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { gradientsOf, outputOption, pixelAttribution, reduceOption } from './shared/gradients.ts';

/** How many pictures are in memory at the same time. */
const GROUP = 8;

/** Blurs all planes of a picture in double precision. Pixels outside the picture count as zeros. */
function blurred(
  picture: Float64Array,
  height: number,
  width: number,
  sigma: number,
): Float64Array {
  const area = height * width;
  const out = new Float64Array(picture.length);
  const blur = gaussianFilter(height, width, sigma, 'zero');
  for (let from = 0; from < picture.length; from += area)
    out.set(blur(picture.subarray(from, from + area)), from);
  return out;
}

/**
 * Blur integrated gradients (Xu, Venugopalan & Sundararajan 2020). The path goes through blurred
 * pictures, from the strongest blur to the sharp picture. So no color has to mean "no information".
 * The map [H, W] is signed and in the unit of the score.
 *
 *   map = - Σ_i Δσ_i · dL/dσ(σ_i) ⊙ dS/dL(σ_i),   L(σ) the picture blurred by σ
 */
export const blurIg = defineMethod({
  name: 'blur-ig',
  title: 'Blur IG',
  family: 'gradient',
  paper:
    'Xu, Venugopalan & Sundararajan, Attribution in Scale and Space, CVPR 2020, arXiv:2004.03383',
  needs: ['gradients'],
  signed: true,
  cost: 'steps forward and backward: 100',
  options: v.object({
    steps: option(v.pipe(integer, v.minValue(1), v.maxValue(10_000)), 100, 'points on the path'),
    maxSigma: option(
      v.pipe(number, v.gtValue(0), v.maxValue(1000)),
      50,
      'standard deviation of the strongest blur, in pixels; with spacing sqrt, its variance',
    ),
    spacing: option(
      v.picklist(['linear', 'sqrt']),
      'linear',
      'linear: sigma grows in equal steps up to maxSigma; sqrt: the square of sigma grows in ' +
        'equal steps up to maxSigma',
    ),
    sigmaStep: option(
      v.pipe(number, v.gtValue(0)),
      0.01,
      'the step of sigma in the difference quotient that replaces the derivative of the blur',
    ),
    output: outputOption,
    reduce: reduceOption,
  }),
  withBudget(options, budget, { targets }) {
    requireBudget('blur-ig', budget, targets);
    return { ...options, steps: Math.min(options.steps, Math.floor(budget / targets)) };
  },

  async explain({ model, input, targets, options, batchSize, progress }) {
    const { steps, maxSigma, sigmaStep, output: score } = options;
    const [, , height, width] = input.shape;
    const picture = Float64Array.from(input.data);
    const sigmas = Float64Array.from({ length: steps + 1 }, (_, i) =>
      options.spacing === 'sqrt' ? Math.sqrt((i * maxSigma) / steps) : (i * maxSigma) / steps,
    );
    const totals = targets.map(() => new Float64Array(picture.length));
    for (let from = 0; from < steps; from += GROUP) {
      const group = Math.min(GROUP, steps - from);
      const batch = tensor([group, ...input.shape.slice(1)]);
      const changes: Float64Array[] = [];
      for (let k = 0; k < group; k++) {
        const i = from + k;
        await nextTask(); // a strong blur takes as much time as a model call
        const here = blurred(picture, height, width, sigmas[i]);
        batch.data.set(here, k * picture.length);
        const next = blurred(picture, height, width, sigmas[i] + sigmaStep);
        changes.push(
          next.map((value, j) => ((value - here[j]) / sigmaStep) * (sigmas[i + 1] - sigmas[i])),
        );
      }
      for (const [t, { index }] of targets.entries()) {
        const { gradients } = await gradientsOf(model, {
          batch,
          wrt: [INPUT],
          targets: [index],
          score,
          batchSize,
        });
        changes.forEach((change, k) => {
          const gradient = slab(gradients[0], k).data;
          for (let j = 0; j < change.length; j++) totals[t][j] -= change[j] * gradient[j];
        });
      }
      progress((from + group) / steps);
    }
    return totals.map((total) => ({
      ...pixelAttribution(total, input, options.reduce),
      extras: { sum: total.reduce((sum, value) => sum + value, 0) },
    }));
  },
});
