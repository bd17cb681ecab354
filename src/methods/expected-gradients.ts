import * as v from 'valibot';
import { createBaseline } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import {
  outputOption,
  type PixelOptions,
  pixelAttribution,
  reduceOption,
} from './shared/gradients.ts';
import { fullBaseline, gradientSeries, scoresOf } from './shared/path.ts';
import { reduceChannels } from './shared/pixel-sums.ts';

/** How many references are scored in one batch. */
const GROUP = 16;

/** The options of expected gradients. */
interface ExpectedOptions extends PixelOptions {
  readonly samples: number;
  readonly references: 'colour' | 'noise';
}

/**
 * Writes reference `k` into `into`. Returns the point α on the path from the reference to the
 * picture, 0 … 1.
 */
type DrawReference = (k: number, into: Float32Array) => number;

/**
 * Draws each reference from its own random stream, so that the same reference can be drawn again.
 */
function referenceDrawer({
  model,
  input,
  options,
  random,
}: MethodContext<ExpectedOptions>): DrawReference {
  const [, channels = 0, height = 0, width = 0] = input.shape;
  const area = height * width;
  const [low, high] = (['black', 'white'] as const).map(
    (name) => fullBaseline(createBaseline(name, model, input), input).data,
  );
  const uniform = (stream: Random, i: number) => low[i] + stream.uniform() * (high[i] - low[i]);
  return (k, into) => {
    const stream = random.fork(k);
    const alpha = stream.uniform();
    const colour = Float32Array.from({ length: channels }, (_, c) => uniform(stream, c * area));
    const isNoise = options.references === 'noise';
    for (let i = 0; i < into.length; i++)
      into[i] = isNoise ? uniform(stream, i) : colour[Math.floor(i / area)];
    return alpha;
  };
}

/** One class of the picture, and the references that it is compared with. */
interface Comparison {
  readonly context: MethodContext<ExpectedOptions>;
  readonly draw: DrawReference;
  readonly target: number;
}

/**
 * The mean over the samples of (x - b) ⊙ dS/dx, [C · H · W], and the standard error of the sum over
 * the channels, [H · W].
 */
async function meanAttribution(
  { context, draw, target }: Comparison,
  onShare: (share: number) => void,
): Promise<{ mean: Float64Array; error: Float64Array }> {
  const { model, input, options, batchSize } = context;
  const { samples } = options;
  const [, , height = 0, width = 0] = input.shape;
  const mean = new Float64Array(input.data.length);
  const sums = new Float64Array(height * width);
  const squares = new Float64Array(height * width);
  const reference = new Float32Array(input.data.length);
  await gradientSeries({
    model,
    input,
    target,
    score: options.output,
    batchSize,
    count: samples,
    render: (k, picture) => {
      const alpha = draw(k, reference);
      picture.forEach(
        (_, i) => (picture[i] = reference[i] + alpha * (input.data[i] - reference[i])),
      );
    },
    take: (k, gradient) => {
      draw(k, reference);
      const part = gradient.map((g, i) => g * (input.data[i] - reference[i]));
      part.forEach((a, i) => (mean[i] += a / samples));
      reduceChannels(part, height, width, 'sum').data.forEach((a, i) => {
        sums[i] += a;
        squares[i] += a * a;
      });
    },
    onProgress: (done) => onShare(done / samples),
  });
  const error = sums.map((s, i) =>
    Math.sqrt(Math.max(0, squares[i] - (s * s) / samples) / (samples * (samples - 1))),
  );
  return { mean, error };
}

/** The mean score of the references. */
async function meanReferenceScore({ context, draw, target }: Comparison): Promise<number> {
  const { model, input, options, batchSize } = context;
  const { samples, output } = options;
  const size = input.data.length;
  let total = 0;
  for (let from = 0; from < samples; from += GROUP) {
    const count = Math.min(GROUP, samples - from);
    const batch = tensor([count, ...input.shape.slice(1)]);
    for (let k = 0; k < count; k++) draw(from + k, batch.data.subarray(k * size, (k + 1) * size));
    for (const score of await scoresOf(model, batch, target, output, batchSize))
      total += score / samples;
  }
  return total;
}

/** The attribution of a mean, with the error of its sum against the difference of the scores. */
async function attributionOf(
  comparison: Comparison,
  mean: Float64Array,
  error: Float64Array,
): Promise<Attribution> {
  const { model, input, options, batchSize } = comparison.context;
  const { output, reduce } = options;
  const referenceScore = await meanReferenceScore(comparison);
  const [score = 0] = await scoresOf(model, input, comparison.target, output, batchSize);
  const total = sum(mean);
  return {
    ...pixelAttribution(mean, input, reduce),
    ...((reduce === 'sum' || reduce === 'none') && {
      standardError: tensor(input.shape.slice(2), Float32Array.from(error)),
    }),
    extras: {
      score,
      referenceScore,
      sum: total,
      completenessDelta: total - (score - referenceScore),
    },
  };
}

/**
 * Expected gradients (Erion et al. 2021): integrated gradients averaged over many random baselines.
 * Each path is sampled at one random point. The map [H, W] is signed and in the unit of the score.
 *
 *   a = E[ (x - b) ⊙ dS/dx (b + α (x - b)) ],   E[sum a] = S(x) - E[S(b)]
 *
 * b is a random reference, and α is uniform in [0, 1).
 */
export const expectedGradients = defineMethod({
  name: 'expected-gradients',
  title: 'Expected gradients',
  family: 'gradient',
  paper:
    'Erion et al., Improving performance of deep learning models with axiomatic attribution ' +
    'priors and expected gradients, Nature Machine Intelligence 2021, arXiv:1906.10670',
  needs: ['gradients'],
  signed: true,
  cost: 'samples forward and backward, and samples + 1 forward: 129 and 64',
  options: v.object({
    samples: option(
      v.pipe(integer, v.minValue(2), v.maxValue(100_000)),
      64,
      'number of random pairs of a reference and a point on its path',
    ),
    references: option(
      v.picklist(['colour', 'noise']),
      'colour',
      'the references that the picture is compared with: pictures of one random color, or ' +
        'pictures of random pixels',
    ),
    output: outputOption,
    reduce: reduceOption,
  }),
  withBudget(options, budget, { targets }) {
    requireBudget('expected-gradients', budget, 5 * targets);
    const samples = Math.floor((budget / targets - 1) / 2);
    return { ...options, samples: Math.min(options.samples, samples) };
  },

  async explain(context) {
    const { targets, progress } = context;
    const draw = referenceDrawer(context);
    const attributions: Attribution[] = [];
    for (const [t, { index }] of targets.entries()) {
      const own = { context, draw, target: index };
      const { mean, error } = await meanAttribution(own, (share) =>
        progress((t + share) / targets.length),
      );
      attributions.push(await attributionOf(own, mean, error));
    }
    return attributions;
  },
});
