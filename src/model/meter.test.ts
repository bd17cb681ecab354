import { expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { fakeInside } from './fixtures/inside.ts';
import { createFunctionModel } from './function-model.ts';
import { IMAGENET_PREPROCESSING } from './input/preprocessing.ts';
import { createMeter } from './meter.ts';
import { INPUT, type Model, requireInside } from './model.ts';

const plain = createFunctionModel({
  name: 'scores',
  labels: ['any'],
  preprocessing: IMAGENET_PREPROCESSING,
  output: 'logits',
  classify: async ({ shape: [rows = 0] }) => tensor([rows, 1]),
});

it('counts the calls of a randomized copy too, and changes nothing else', async () => {
  const model: Model = {
    ...plain,
    inside: fakeInside({ weightLayers: async () => ['a'], randomized: async () => plain }),
  };
  const meter = createMeter();
  const wrapped = meter.wrap(model);
  expect(await requireInside(wrapped).weightLayers()).toEqual(['a']);
  const copy = await requireInside(wrapped).randomized(['a'], createRandom(0));
  await copy.classify(tensor([3, 3, 2, 2]));
  expect(meter.calls()).toEqual({ forward: 3, backward: 0 });
});

it('refuses a call after which there would be more forward passes than the budget', async () => {
  const meter = createMeter(undefined, 5);
  const wrapped = meter.wrap(plain);
  await wrapped.classify(tensor([3, 3, 2, 2]));
  await expect(wrapped.classify(tensor([3, 3, 2, 2]))).rejects.toThrow(
    'the budget of 5 model calls is used up (3 made, 3 more wanted)',
  );
  await wrapped.classify(tensor([2, 3, 2, 2]));
  expect(meter.calls().forward).toBe(5);
});

it('has no network if the model has none; one sentence says so', () => {
  const wrapped = createMeter().wrap(plain);
  expect(wrapped.inside).toBeUndefined();
  expect(() => requireInside(wrapped)).toThrow(
    'scores (function) returns scores only, and this needs its network: use an ONNX model',
  );
});

it('lets a model be disposed of at the end of a block', async () => {
  let disposed = 0;
  const model: Model = { ...plain, [Symbol.asyncDispose]: async () => void disposed++ };
  await createMeter().wrap(model)[Symbol.asyncDispose]();
  expect(disposed).toBe(1);
});

it('stops calls between batches, even if a caller leaves the signal undefined', async () => {
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

it('keeps the range of the scores of perturbed pictures, per class', async () => {
  const answers = [
    tensor([2, 2], Float32Array.of(1, 5, -2, 5)),
    tensor([1, 1], Float32Array.of(3)),
  ];
  const meter = createMeter();
  const wrapped = meter.wrap({ ...plain, perturb: async () => answers.shift() ?? tensor([0, 1]) });
  const request = {
    input: tensor([1, 3, 2, 2]),
    baseline: tensor([1, 3, 1, 1]),
    perturbation: { kind: 'masks', masks: tensor([1, 2, 2]) },
  } as const;
  await wrapped.perturb({ ...request, targets: [7, 8] });
  await wrapped.perturb({ ...request, targets: [7] });
  expect(meter.scoresOf(7)).toEqual({ count: 3, low: -2, high: 3 });
  expect(meter.scoresOf(8)).toEqual({ count: 2, low: 5, high: 5 });
  expect(meter.scoresOf(0)).toBeUndefined();
});

it('notices whether all gradients by pictures are equal', async () => {
  const slope = tensor([2, 1, 1, 2], Float32Array.of(1, 2, 1, 2 + 1e-7));
  const gradients = async () => ({ scores: tensor([2]), gradients: [slope], values: [] });
  const meter = createMeter();
  const { inside } = meter.wrap({ ...plain, inside: fakeInside({ gradients }) });
  const request = { batch: tensor([2, 1, 1, 2]), wrt: [INPUT], targets: [3] };
  await inside?.gradients(request);
  await inside?.gradients({ ...request, at: 'layer' });
  expect(meter.gradientsOf(3)).toMatchObject({ count: 2, isSame: true });
  slope.data[0] = 1.1;
  await inside?.gradients({ ...request, targets: [3, 4] });
  expect(meter.gradientsOf(3)).toMatchObject({ count: 3, isSame: false });
  expect(meter.gradientsOf(4)).toMatchObject({ count: 1, isSame: true });
});
