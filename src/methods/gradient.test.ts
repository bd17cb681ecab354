import { expect, it } from 'vitest';
import { explain, explainAll } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { tensor } from '../tensor/tensor.ts';
import {
  CLASSES,
  convNet,
  HEIGHT,
  linearNet,
  linearWeights,
  picture,
  WIDTH,
} from './fixtures/nets.ts';
import { describePixelReference } from './fixtures/reference.ts';
import { methods } from './index.ts';

const area = HEIGHT * WIDTH;
const weightsAt = (i: number, target: number) =>
  [0, 1, 2].map((c) => linearWeights.data[(c * area + i) * CLASSES + target]);

it('equals the weights of a linear model, for several classes and for each reduction', async () => {
  const model = await linearNet();
  for (const { target, map, manifest } of await explainAll(model, picture, {
    method: 'gradient',
    target: 'top:3',
  })) {
    expect(map.data).toBeAllClose(
      Array.from(map.data, (_, i) => weightsAt(i, target.index).reduce((a, b) => a + b)),
      { atol: 5e-6 },
    );
    expect(manifest.modelCalls).toEqual({ forward: 3, backward: 3 });
  }
  const reduced = async (reduce: string) =>
    (
      await explain(model, picture, {
        method: methods.get('gradient'),
        target: 1,
        options: { reduce },
      })
    ).map.data;
  expect(await reduced('abs-max')).toBeAllClose(
    Array.from({ length: area }, (_, i) => Math.max(...weightsAt(i, 1).map(Math.abs))),
  );
  expect(await reduced('l2')).toBeAllClose(
    Array.from({ length: area }, (_, i) => Math.hypot(...weightsAt(i, 1))),
  );
  const { map, channels } = await explain(model, picture, {
    method: 'gradient',
    target: 1,
    options: { reduce: 'none' },
  });
  expect(channels?.shape).toEqual([3, HEIGHT, WIDTH]);
  expect(channels?.data).toBeAllClose(
    Array.from({ length: 3 * area }, (_, i) => linearWeights.data[i * CLASSES + 1]),
  );
  expect([...map.data]).toEqual([...(await reduced('sum'))]);
});

it('equals p_t (w_t - sum_k p_k w_k) for the probability of a linear model', async () => {
  const model = await linearNet();
  const faint = tensor(
    picture.shape,
    picture.data.map((x) => x / 20),
  );
  const p = (await model.classify(faint)).data;
  const { map } = await explain(model, faint, {
    method: 'gradient',
    target: 2,
    options: { output: 'probability' },
  });
  map.data.forEach((value, i) => {
    const sums = [0, 1, 2].map((target) => weightsAt(i, target).reduce((a, b) => a + b));
    const mean = sums.reduce((all, sum, k) => all + p[k] * sum, 0);
    expect(value).toBeCloseTo(p[2] * (sums[2] - mean), 5);
  });
});

it('refuses a function model, because it has no gradients', async () => {
  const black = createFunctionModel({
    name: 'black box',
    labels: ['a', 'b'],
    preprocessing: { ...IMAGENET_PREPROCESSING, size: [HEIGHT, WIDTH] },
    output: 'logits',
    classify: async (batch) => tensor([batch.shape[0], 2]),
  });
  await expect(explain(black, picture, { method: 'gradient' })).rejects.toThrow(
    /gradient needs gradients, which black box .* such as rise/,
  );
});

it('does not depend on the batch size', async () => {
  const model = await convNet('tanh');
  const whole = await explainAll(model, picture, { method: 'gradient', target: 'top:3' });
  const single = await explainAll(model, picture, {
    method: 'gradient',
    target: 'top:3',
    batchSize: 1,
  });
  whole.forEach(({ map }, t) => expect(single[t].map.data).toBeAllClose(map.data, { atol: 5e-6 }));
});

// The tolerance is the error of float32 gradients of mobilenet_v2: some inputs of ReLU6 are within
// rounding of 0 or 6.
describePixelReference('gradient', 'gradient', () => ({}), 1e-2);
