import { expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { fakeInside } from './fixtures/inside.ts';
import { createFunctionModel } from './function-model.ts';
import { IMAGENET_PREPROCESSING } from './input/preprocessing.ts';
import { createMeter } from './meter.ts';
import { type Model, requireInside } from './model.ts';

const plain = createFunctionModel({
  name: 'scores',
  labels: ['any'],
  preprocessing: IMAGENET_PREPROCESSING,
  output: 'logits',
  classify: async ({ shape: [rows = 0] }) => tensor([rows, 1]),
});

it('counts the calls of a randomized copy too, and leaves the rest of the model as it is', async () => {
  const model: Model = {
    ...plain,
    inside: fakeInside({ weightLayers: () => ['a'], randomized: async () => plain }),
  };
  const meter = createMeter();
  const wrapped = meter.wrap(model);
  expect(requireInside(wrapped).weightLayers()).toEqual(['a']);
  const copy = await requireInside(wrapped).randomized(['a'], createRandom(0));
  await copy.classify(tensor([3, 3, 2, 2]));
  expect(meter.calls()).toEqual({ forward: 3, backward: 0 });
});

it('shows no network where the model has none, and says so in one sentence', () => {
  const wrapped = createMeter().wrap(plain);
  expect(wrapped.inside).toBeUndefined();
  expect(() => requireInside(wrapped)).toThrow(
    'scores (function) gives scores only, and this needs its network: use an ONNX model',
  );
});

it('lets a model be disposed of at the end of a block', async () => {
  let disposed = 0;
  const model: Model = { ...plain, [Symbol.asyncDispose]: async () => void disposed++ };
  await createMeter().wrap(model)[Symbol.asyncDispose]();
  expect(disposed).toBe(1);
});

it('stops calls between batches, also where a caller leaves the signal undefined', async () => {
  const stop = new AbortController();
  let batches = 0;
  const model = createFunctionModel({
    name: 'scores',
    labels: ['any'],
    preprocessing: IMAGENET_PREPROCESSING,
    output: 'logits',
    maxBatch: 1,
    classify: async ({ shape: [rows = 0] }) => {
      batches += 1;
      setTimeout(() => stop.abort(), 0);
      await new Promise((resolve) => setTimeout(resolve, 10));
      return tensor([rows, 1]);
    },
  });
  const { classify } = createMeter(stop.signal).wrap(model);
  const call = classify(tensor([3, 3, 2, 2]), { signal: undefined });
  await expect(call).rejects.toMatchObject({ code: 'cancelled' });
  expect(batches).toBe(1);
});
