import * as v from 'valibot';
import { createBaseline } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { pixelAttribution, pixelOptions, sumOfDifference } from './shared/gradients.ts';
import { fullBaseline, gradientSeries, pathBaselineOption, scoresOf } from './shared/path.ts';
import { quadrature, quadratureOption } from './shared/quadrature.ts';

/**
 * Integrated gradients (Sundararajan, Taly & Yan 2017): the mean gradient along the straight line
 * from a baseline b to the picture x, times x - b. The map [H, W] is signed and in the unit of the
 * score.
 *
 *   a = (x - b) ⊙ ∫₀¹ dS/dx (b + α (x - b)) dα,   sum a = S(x) - S(b)
 *
 * The integral is a sum over `steps` points, so the equation holds only approximately.
 * `extras.completenessDelta` is the error.
 */
export const integratedGradients = defineMethod({
  name: 'integrated-gradients',
  title: 'Integrated gradients',
  family: 'gradient',
  paper:
    'Sundararajan, Taly & Yan, Axiomatic Attribution for Deep Networks, ICML 2017, ' +
    'arXiv:1703.01365',
  needs: ['gradients'],
  signed: true,
  cost: 'steps forward and backward, and 2 forward: 52 and 50',
  options: v.object({
    steps: option(
      v.pipe(integer, v.minValue(1), v.maxValue(10_000)),
      50,
      'number of points on the path',
    ),
    quadrature: quadratureOption,
    baseline: pathBaselineOption,
    ...pixelOptions,
  }),
  withBudget(options, budget, { targets }) {
    requireBudget('integrated-gradients', budget, 3 * targets);
    const steps = Math.floor(budget / targets) - 2;
    return { ...options, steps: Math.min(options.steps, steps) };
  },
  completeness: sumOfDifference,

  async explain({ model, input, targets, options, batchSize, progress }) {
    const start = fullBaseline(createBaseline(options.baseline, model, input), input).data;
    const way = input.data.map((x, i) => x - start[i]);
    const { nodes, weights } = quadrature(options.quadrature, options.steps);
    const attributions: Attribution[] = [];
    for (const [t, target] of targets.entries()) {
      const integral = new Float64Array(way.length);
      await gradientSeries({
        model,
        input,
        target: target.index,
        score: options.output,
        batchSize,
        count: options.steps,
        render: (k, picture) =>
          picture.forEach((_, i) => (picture[i] = start[i] + nodes[k] * way[i])),
        take: (k, gradient) => gradient.forEach((g, i) => (integral[i] += weights[k] * g)),
        onProgress: (done) => progress((t + done / options.steps) / targets.length),
      });
      const ends = tensor([2, ...input.shape.slice(1)]);
      ends.data.set(input.data);
      ends.data.set(start, input.data.length);
      const [atInput, atBaseline] = await scoresOf(
        model,
        ends,
        target.index,
        options.output,
        batchSize,
      );
      const attribution = integral.map((g, i) => g * way[i]);
      const sum = attribution.reduce((all, a) => all + a, 0);
      attributions.push({
        ...pixelAttribution(attribution, input, options.reduce),
        extras: {
          score: atInput,
          baselineScore: atBaseline,
          sum,
          completenessDelta: sum - (atInput - atBaseline),
        },
      });
    }
    return attributions;
  },
});
