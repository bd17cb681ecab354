import * as v from 'valibot';
import { integer, number, option } from '../options.ts';
import { extent } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { outputOption, pixelAttribution, reduceOption } from './shared/gradients.ts';
import { type GradientSeries, gradientSeries } from './shared/path.ts';
import { reduceChannels } from './shared/pixel-sums.ts';

/** Statistics of the gradients at noisy pictures. */
interface NoisyGradients {
  /** 1 / N · sum_k g_k, [C, H, W]. */
  readonly mean: Float64Array;
  /** 1 / N · sum_k g_k². */
  readonly meanSquare: Float64Array;
  /** The standard error of the mean of the channel sums, [H, W]. */
  readonly standardError: Tensor;
}

/** The request of `noisyGradients`. */
export interface NoisyRequest extends Omit<GradientSeries, 'render' | 'take'> {
  /** Writes the noise of sample `k`, which is added to the picture. */
  readonly noise: (k: number, values: Float32Array) => void;
}

/**
 * The mean, mean square and standard error of the gradients at N noisy copies x + n_k of a picture.
 */
export async function noisyGradients({ noise, ...request }: NoisyRequest): Promise<NoisyGradients> {
  const { input, count } = request;
  const [, , height, width] = input.shape;
  const area = height * width;
  const [mean, meanSquare] = [
    new Float64Array(input.data.length),
    new Float64Array(input.data.length),
  ];
  const [sums, squares] = [new Float64Array(area), new Float64Array(area)];
  await gradientSeries({
    ...request,
    render: (k, picture) => {
      noise(k, picture);
      picture.forEach((value, i) => (picture[i] = value + input.data[i]));
    },
    take: (_, gradient) => {
      gradient.forEach((g, i) => {
        mean[i] += g / count;
        meanSquare[i] += (g * g) / count;
      });
      reduceChannels(gradient, height, width, 'sum').data.forEach((value, i) => {
        sums[i] += value;
        squares[i] += value * value;
      });
    },
  });
  const error = sums.map((sum, i) =>
    Math.sqrt(Math.max(0, squares[i] - (sum * sum) / count) / (count * Math.max(1, count - 1))),
  );
  return { mean, meanSquare, standardError: tensor([height, width], Float32Array.from(error)) };
}

/**
 * SmoothGrad (Smilkov et al. 2017): statistics of the gradients g at noisy copies of the picture.
 * The noise n_k is normal, with a standard deviation of `noise` times the range of the input. The
 * map [H, W] is signed for `mean`, and 0 or positive for `squared` and `variance`.
 *
 *   mean:     1 / N · sum_k g(x + n_k)
 *   squared:  1 / N · sum_k g(x + n_k)²
 *   variance: mean of the squares - square of the mean (VarGrad)
 */
export const smoothgrad = defineMethod({
  name: 'smoothgrad',
  title: 'SmoothGrad',
  family: 'gradient',
  paper:
    'Smilkov et al., SmoothGrad: removing noise by adding noise, 2017, arXiv:1706.03825; ' +
    'squared: Hooker et al., NeurIPS 2019; VarGrad: Adebayo et al., 2018',
  needs: ['gradients'],
  signed: true,
  cost: 'samples forward and backward: 25',
  options: v.object({
    samples: option(
      v.pipe(integer, v.minValue(2), v.maxValue(100_000)),
      25,
      'number of noisy copies of the picture',
    ),
    noise: option(
      v.pipe(number, v.minValue(0), v.maxValue(10)),
      0.15,
      'standard deviation of the noise, as a share of the range of the input',
    ),
    kind: option(
      v.picklist(['mean', 'squared', 'variance']),
      'mean',
      'which statistic the map shows: the mean of the gradients, the mean of their squares, ' +
        'or their variance (VarGrad)',
    ),
    output: outputOption,
    reduce: reduceOption,
  }),
  withBudget(options, budget, { targets }) {
    requireBudget('smoothgrad', budget, 2 * targets);
    return { ...options, samples: Math.min(options.samples, Math.floor(budget / targets)) };
  },

  async explain({ model, input, targets, options, random, batchSize, progress }) {
    const { samples, kind } = options;
    const [min, max] = extent(input.data);
    const sigma = options.noise * (max - min);
    const attributions: Attribution[] = [];
    for (const [t, target] of targets.entries()) {
      const { mean, meanSquare, standardError } = await noisyGradients({
        model,
        input,
        target: target.index,
        score: options.output,
        batchSize,
        count: samples,
        noise: (k, values) => {
          const stream = random.fork(k);
          values.forEach((_, i) => (values[i] = sigma * stream.normal()));
        },
        onProgress: (done) => progress((t + done / samples) / targets.length),
      });
      const values =
        kind === 'mean'
          ? mean
          : kind === 'squared'
            ? meanSquare
            : meanSquare.map((square, i) => Math.max(0, square - mean[i] ** 2));
      const signedSum = kind === 'mean' && (options.reduce === 'sum' || options.reduce === 'none');
      attributions.push({
        ...pixelAttribution(values, input, options.reduce),
        ...(kind !== 'mean' && { signed: false }),
        ...(signedSum && { standardError }),
        extras: { sigma },
      });
    }
    return attributions;
  },
});
