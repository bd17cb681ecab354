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
 * The picture in which the pixels with a rank in [from, to) are replaced: imputed from their
 * neighbors, plus noise.
 */
function withoutRanks(
  input: Tensor,
  ranks: Int32Array,
  from: number,
  to: number,
  noise: number,
  random: Random,
): Float32Array {
  const [, , height = 0, width = 0] = input.shape;
  const known = Uint8Array.from(ranks, (rank) => (rank >= from && rank < to ? 0 : 1));
  const imputed = imputeLinearly(input.data, known, height, width);
  if (noise > 0) {
    imputed.forEach((value, i) => {
      if (!known[i % known.length]) imputed[i] = value + noise * random.normal();
    });
  }
  return imputed;
}

/**
 * ROAD, remove and debias: how much more the score of the class falls if the most relevant pixels
 * are removed first (MoRF) than if the least relevant pixels are removed first (LeRF). Removed
 * pixels are imputed from their neighbors, so that the shape of the hole does not reveal the class.
 * The value is -0.5 … 0.5 for probabilities. Higher is better.
 *
 *   road = mean_q (y_LeRF(q) - y_MoRF(q)) / 2,  q = the shares of pixels removed, rounded down
 *
 * y is the probability or the logit of the class. With `accuracy`, y is 1 if the class still has
 * the highest score, else 0. Each removed pixel becomes the weighted mean of its eight neighbors,
 * plus normal noise in units of the normalized input. This is one linear system per picture. The
 * curve is (y_LeRF - y_MoRF) / 2 over q. The cost is 2 model calls per share. Source: Rong et al.,
 * A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022. The
 * combination of both orders is that of pytorch-grad-cam.
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
      'standard deviation of the noise on imputed pixels, in units of the normalized input',
    ),
    score: option(
      v.picklist(['probability', 'logit', 'accuracy']),
      'probability',
      'which value of the class is compared',
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
      const [least = 0, most = 0] = classScores(scores, target.index, score === 'accuracy');
      y.push((least - most) / 2);
      onProgress?.((k + 1) / shares.length);
    }
    return { value: mean(y), curve: { x: shares, y } };
  },
});
