import * as v from 'valibot';
import { createBaseline } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import {
  outputOption,
  pixelAttribution,
  reduceChannels,
  reduceOption,
} from './shared/gradients.ts';
import { fullBaseline, gradientSeries, scoresOf } from './shared/path.ts';

/** References whose scores are in memory at once. */
const GROUP = 16;

/**
 * Expected gradients: integrated gradients averaged over many baselines, each path sampled at one
 * random point.
 *
 *   a = E[ (x - b) ⊙ dS/dx (b + α (x - b)) ],  b from the references, α uniform in [0, 1);   E[sum a] = S(x) - E[S(b)]
 */
export const expectedGradients = defineMethod({
  name: 'expected-gradients',
  title: 'Expected gradients',
  family: 'gradient',
  paper:
    'Erion et al., Improving performance of deep learning models with axiomatic attribution priors and expected gradients, Nature Machine Intelligence 2021, arXiv:1906.10670',
  needs: ['gradients'],
  signed: true,
  cost: 'samples forward and backward, and samples + 1 forward: 129 and 64',
  options: v.object({
    samples: option(
      v.pipe(integer, v.minValue(2), v.maxValue(100_000)),
      64,
      'pairs of a reference and a point on its path',
    ),
    references: option(
      v.picklist(['colour', 'noise']),
      'colour',
      'what the picture is compared with: pictures of one random colour, or pictures of random pixels',
    ),
    output: outputOption,
    reduce: reduceOption,
  }),

  async explain({ model, input, targets, options, random, batchSize, progress }) {
    const { samples } = options;
    const [, channels, height, width] = input.shape;
    const size = input.data.length;
    const [low, high] = (['black', 'white'] as const).map(
      (name) => fullBaseline(createBaseline(name, model, input), input).data,
    );
    const uniform = (stream: Random, i: number) => low[i] + stream.uniform() * (high[i] - low[i]);
    const draw = (k: number, into: Float32Array): number => {
      const stream = random.fork(k);
      const alpha = stream.uniform();
      const colour = Float32Array.from({ length: channels }, (_, c) =>
        uniform(stream, c * height * width),
      );
      into.forEach(
        (_, i) =>
          (into[i] =
            options.references === 'noise'
              ? uniform(stream, i)
              : colour[Math.floor(i / (height * width))]),
      );
      return alpha;
    };
    const attributions: Attribution[] = [];
    const reference = new Float32Array(size);
    for (const [t, target] of targets.entries()) {
      const [mean, sums, squares] = [
        new Float64Array(size),
        new Float64Array(height * width),
        new Float64Array(height * width),
      ];
      await gradientSeries({
        model,
        input,
        target: target.index,
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
        onProgress: (done) => progress((t + done / samples) / targets.length),
      });
      let referenceScore = 0;
      for (let from = 0; from < samples; from += GROUP) {
        const batch = tensor([Math.min(GROUP, samples - from), ...input.shape.slice(1)]);
        for (let k = 0; k < batch.shape[0]; k++)
          draw(from + k, batch.data.subarray(k * size, (k + 1) * size));
        for (const score of await scoresOf(model, batch, target.index, options.output, batchSize))
          referenceScore += score / samples;
      }
      const [score] = await scoresOf(model, input, target.index, options.output, batchSize);
      const sum = mean.reduce((all, a) => all + a, 0);
      const error = sums.map((s, i) =>
        Math.sqrt(Math.max(0, squares[i] - (s * s) / samples) / (samples * (samples - 1))),
      );
      attributions.push({
        ...pixelAttribution(mean, input, options.reduce),
        ...((options.reduce === 'sum' || options.reduce === 'none') && {
          standardError: tensor([height, width], Float32Array.from(error)),
        }),
        extras: { score, referenceScore, sum, completenessDelta: sum - (score - referenceScore) },
      });
    }
    return attributions;
  },
});
