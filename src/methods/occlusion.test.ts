import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { methods } from './index.ts';

const [HEIGHT, WIDTH] = [10, 8];
const random = createRandom(1);
const weights = Float32Array.from({ length: 3 * HEIGHT * WIDTH }, () => random.normal());
const input = tensor(
  [1, 3, HEIGHT, WIDTH],
  Float32Array.from({ length: 3 * HEIGHT * WIDTH }, () => random.normal()),
);

/** A linear model: logit 0 = w · x, logit 1 = 0. */
const linear = createFunctionModel({
  name: 'linear',
  labels: ['w · x', 'zero'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [HEIGHT, WIDTH] },
  output: 'logits',
  classify: async (batch: Tensor) => {
    const scores = new Float32Array(2 * batch.shape[0]);
    for (let i = 0; i < batch.data.length; i++)
      scores[2 * Math.floor(i / weights.length)] += weights[i % weights.length] * batch.data[i];
    return tensor([batch.shape[0], 2], scores);
  },
});

const run = (options: Record<string, unknown>) =>
  explain(linear, input, {
    method: 'occlusion',
    target: 0,
    options: { score: 'logit', ...options },
  });

describe('occlusion', () => {
  it.each([2, 5, 10, 17, 50])('covers each pixel within a budget of %i calls', async (budget) => {
    const options = { window: 1, stride: 1 };
    const { map, manifest } = await explain(linear, input, {
      ...{ method: 'occlusion', target: 0, budget },
      options: { ...options, score: 'logit' },
    });
    expect(manifest.modelCalls.forward).toBeLessThanOrEqual(budget);
    expect(map.data.every((value) => value !== 0)).toBe(true);
  });

  it('equals weight times (input - baseline) for single pixels and a linear model', async () => {
    const { map, manifest } = await run({ window: 1, stride: 1, baseline: 'grey' });
    const grey = IMAGENET_PREPROCESSING.mean.map(
      (mean, c) => (128 / 255 - mean) / IMAGENET_PREPROCESSING.std[c],
    );
    const area = HEIGHT * WIDTH;
    for (let i = 0; i < area; i++) {
      const expected = [0, 1, 2].reduce(
        (sum, c) => sum + weights[c * area + i] * (input.data[c * area + i] - grey[c]),
        0,
      );
      expect(map.data[i]).toBeCloseTo(expected, 4);
    }
    expect(manifest.modelCalls.forward).toBe(area + 1);
  });

  it('equals the mean drop over the windows that cover a pixel', async () => {
    const { map } = await run({ window: [3, 4], stride: [2, 3] });
    const area = HEIGHT * WIDTH;
    const drop = (top: number, left: number) => {
      let sum = 0;
      for (let c = 0; c < 3; c++)
        for (let y = top; y < top + 3; y++)
          for (let x = left; x < left + 4; x++)
            sum += weights[c * area + y * WIDTH + x] * input.data[c * area + y * WIDTH + x];
      return sum;
    };
    const tops = [0, 2, 4, 6, 7];
    const lefts = [0, 3, 4];
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const drops = tops.flatMap((top) =>
          lefts
            .filter((left) => y >= top && y < top + 3 && x >= left && x < left + 4)
            .map((left) => drop(top, left)),
        );
        expect(map.data[y * WIDTH + x]).toBeCloseTo(
          drops.reduce((a, b) => a + b) / drops.length,
          3,
        );
      }
    }
  });

  it('gives the same map for every batch size', async () => {
    const options = { method: methods.get('occlusion'), options: { window: 3, stride: 2 } };
    const whole = (await explain(linear, input, { ...options, batchSize: 64 })).map.data;
    for (const batchSize of [1, 7])
      expect((await explain(linear, input, { ...options, batchSize })).map.data).toBeAllClose(
        whole,
        { atol: 5e-7 },
      );
  });

  it('names unknown options and values out of range in its errors', async () => {
    await expect(run({ windw: 3 })).rejects.toThrow(
      'occlusion has no option "windw": did you mean "window"? ' +
        'its options are window, stride, baseline, score',
    );
    await expect(run({ window: 0 })).rejects.toThrow(/occlusion.window = 0: expected/);
    await expect(run({ baseline: 'pink' })).rejects.toThrow(/"zero" \| "black"/);
  });
});
