import * as v from 'valibot';
import { throwIfCancelled } from '../errors.ts';
import { number, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { mean } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { classScores } from './shared/class-scores.ts';
import { imputeLinearly } from './shared/imputation.ts';
import { pixelOrder, ranksOf } from './shared/ranks.ts';

/**
 * The picture without the pixels whose rank lies in [from, to): imputed from their neighbours, with
 * noise.
 */
function withoutRanks(
  input: Tensor,
  ranks: Int32Array,
  from: number,
  to: number,
  noise: number,
  random: Random,
): Float32Array {
  const [, channels, height, width] = input.shape;
  const known = Uint8Array.from(ranks, (rank) => (rank >= from && rank < to ? 0 : 1));
  const imputed = imputeLinearly(input.data, known, height, width);
  if (noise > 0) {
    for (let i = 0; i < channels * height * width; i++)
      if (!known[i % (height * width)]) imputed[i] += noise * random.normal();
  }
  return imputed;
}

/**
 * ROAD, remove and debias: how much more the class's score suffers when the most relevant pixels
 * are removed first (MoRF) than when the least relevant are (LeRF). Removed pixels are imputed from
 * their neighbours, so that the shape of the hole does not tell the class. -0.5 … 0.5 for
 * probabilities, higher is better.
 *
 *   road = mean_q (y_LeRF(q) - y_MoRF(q)) / 2,  q = the shares of pixels removed, rounded down
 *
 * y is the class's probability or logit, or with `accuracy` 1 where the class is still first and
 * else 0. Imputation: each removed pixel is the weighted mean of its eight neighbours (one linear
 * system a picture), plus normal noise in units of the normalised input. The curve is (y_LeRF -
 * y_MoRF) / 2 over q. 2 model calls a share. Source: Rong et al., A Consistent and Efficient
 * Evaluation Strategy for Attribution Methods, ICML 2022; the combination of both orders as in
 * pytorch-grad-cam.
 */
export const road = defineMetric({
  name: 'road',
  title: 'ROAD',
  direction: 'higher',
  range: [-0.5, 0.5],
  paper:
    'Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ' +
    'ICML 2022',
  needs: ['model'],
  axes: { x: 'share of pixels removed', y: '(least relevant first − most first) / 2' },
  presets: {
    'pytorch-grad-cam': {
      shares: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
      noise: 0.01,
      score: 'probability',
    },
    accuracy: {
      shares: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
      noise: 0.01,
      score: 'accuracy',
    },
  },
  options: v.object({
    shares: option(
      v.pipe(v.array(v.pipe(number, v.gtValue(0), v.ltValue(1))), v.minLength(1)),
      [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
      'shares of the pixels that are removed',
    ),
    noise: option(
      v.pipe(number, v.minValue(0)),
      0.01,
      'standard deviation of the noise on imputed pixels, in units of the normalised input',
    ),
    score: option(
      v.picklist(['probability', 'logit', 'accuracy']),
      'probability',
      'what is compared',
    ),
  }),
  measure: async (context, { shares, noise, score }) => {
    const { model, input, map, target, random, batchSize, signal, onProgress } = context;
    const pixels = map.data.length;
    const ranks = ranksOf(context.order ?? pixelOrder(map.data), pixels);
    const y: number[] = [];
    for (const [k, share] of shares.entries()) {
      throwIfCancelled(signal);
      const count = Math.floor(share * pixels + 1e-6);
      const pictures = tensor([2, ...input.shape.slice(1)]);
      pictures.data.set(
        withoutRanks(input, ranks, pixels - count, pixels, noise, random.fork(`${k} least`)),
      );
      pictures.data.set(
        withoutRanks(input, ranks, 0, count, noise, random.fork(`${k} most`)),
        input.data.length,
      );
      const scores = await model.classify(pictures, {
        score: score === 'logit' ? 'logit' : 'probability',
        batchSize,
        signal,
      });
      const [least, most] = classScores(scores, target.index, score === 'accuracy');
      y.push((least - most) / 2);
      onProgress?.((k + 1) / shares.length);
    }
    return { value: mean(y), curve: { x: shares, y } };
  },
});
