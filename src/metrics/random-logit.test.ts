import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { regionModel } from './fixtures/region-model.ts';
import type { ExplainChanges } from './metric.ts';
import { randomLogit } from './random-logit.ts';

const [H, W] = [12, 10];
const model = regionModel(H, W, new Uint8Array(H * W).fill(1));
const input = tensor([1, 1, H, W], new Float32Array(H * W).fill(0.5));

function randomMap(seed: number): Tensor {
  const random = createRandom(seed);
  return tensor(
    [H, W],
    Float32Array.from({ length: H * W }, () => random.normal()),
  );
}

describe('random logit', () => {
  const context = { model, input, target: { index: 0 } };
  const map = randomMap(1);

  it('is 1 if the other class has the same map, and -1 if it has the negative map', async () => {
    expect(
      (await randomLogit.score({ ...context, map, explain: async () => map })).value,
    ).toBeCloseTo(1, 5);
    const opposite = tensor(
      [H, W],
      map.data.map((v) => -v),
    );
    expect(
      (await randomLogit.score({ ...context, map, preset: 'ranks', explain: async () => opposite }))
        .value,
    ).toBeCloseTo(-1, 12);
  });

  it('explains only other classes, each of them once', async () => {
    const many = { ...model, labels: ['a', 'b', 'c', 'd', 'e'] };
    const asked: number[] = [];
    const explain = async ({ target }: ExplainChanges) => {
      asked.push(target?.index as number);
      return randomMap(2);
    };
    await randomLogit.score({
      ...context,
      model: many,
      target: { index: 2 },
      map,
      explain,
      options: { classes: 9 },
    });
    expect(asked.sort()).toEqual([0, 1, 3, 4]);
    await expect(
      randomLogit.score({ ...context, model: { ...model, labels: ['a'] }, map, explain }),
    ).rejects.toThrow('only one class');
  });
});
