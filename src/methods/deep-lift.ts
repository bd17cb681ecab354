import * as v from 'valibot';
import { deepLift as rules } from '../autodiff/index.ts';
import { BASELINES, BASELINES_IN_WORDS, createBaseline } from '../model/input/baseline.ts';
import { INPUT } from '../model/model.ts';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { areClose } from '../tensor/statistics.ts';
import { slab } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import {
  gradientsOf,
  pixelAttribution,
  pixelOptions,
  repeat,
  sumOfDifference,
} from './shared/gradients.ts';
import { fullBaseline, scoresOf } from './shared/path.ts';

/**
 * The largest error of the sum of a map that gives no warning, as a share of the difference of the
 * scores.
 */
const MOST_MISSED = 0.05;

/**
 * DeepLIFT with the rescale rule (Shrikumar, Greenside & Kundaje 2017): each pixel’s part in the
 * difference between the score of the picture x and the score of a baseline b. The map [H, W] is
 * signed and in the unit of the score.
 *
 *   map = m (x - b),   m_x = m_y Δy / Δx through each nonlinearity,   Σ map = S(x) - S(b)
 */
export const deepLift = defineMethod({
  name: 'deep-lift',
  title: 'DeepLIFT',
  family: 'gradient',
  paper:
    'Shrikumar, Greenside & Kundaje, Learning Important Features Through Propagating ' +
    'Activation Differences, ICML 2017, arXiv:1704.02685',
  needs: ['gradients'],
  signed: true,
  cost:
    '2 forward and 1 backward, 1 forward for the baseline, and a plain gradient to compare ' +
    'with',
  options: v.object({
    baseline: option(
      v.picklist(BASELINES),
      'black',
      `the picture that the input is compared with: ${BASELINES_IN_WORDS}`,
    ),
    ...pixelOptions,
  }),
  completeness: sumOfDifference,

  async explain({ model, input, targets, options, batchSize, progress }) {
    const reference = fullBaseline(createBaseline(options.baseline, model, input), input);
    const classes = targets.map((target) => target.index);
    const score = options.output;
    const batch = repeat(input, classes.length);
    const request = { batch, wrt: [INPUT], targets: classes, score, batchSize };
    const { gradients, scores } = await gradientsOf(model, { ...request, rules, reference });
    const plain = (await gradientsOf(model, request)).gradients;
    const [multipliers, gradient] = [at(gradients, 0), at(plain, 0)];
    progress(1);
    return Promise.all(
      targets.map(async (target, t) => {
        const contributions = Float64Array.from(
          slab(multipliers, t).data,
          (m, i) => m * (at(input.data, i) - at(reference.data, i)),
        );
        const [baselineScore = 0] = await scoresOf(
          model,
          reference,
          target.index,
          score,
          batchSize,
        );
        const sum = contributions.reduce((all, value) => all + value, 0);
        const own = at(scores.data, t);
        const difference = own - baselineScore;
        const extras = {
          score: own,
          baselineScore,
          sum,
          completenessDelta: sum - difference,
        };
        const warnings: string[] = [];
        if (Math.abs(extras.completenessDelta) > MOST_MISSED * Math.abs(difference))
          warnings.push(
            `deep-lift: the map adds up to ${sum.toPrecision(4)} instead of the difference of ` +
              `the scores, ${difference.toPrecision(4)}: for some operators of the network ` +
              'Fovea uses the gradient',
          );
        if (areClose(slab(multipliers, t).data, slab(gradient, t).data))
          warnings.push(
            'the multipliers of deep-lift equal the gradient, so this map equals the ' +
              'gradient times the difference from the baseline (for the baseline zero, ' +
              'gradient-x-input): choose another baseline to see a difference',
          );
        return { ...pixelAttribution(contributions, input, options.reduce), extras, warnings };
      }),
    );
  },
});
