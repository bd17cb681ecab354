import { expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { argmax, tensor } from '../tensor/tensor.ts';

const model = createFunctionModel({
  name: 'constant',
  labels: ['a', 'b'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [21, 41] },
  output: 'probabilities',
  classify: async (batch) =>
    tensor([batch.shape[0], 2], new Float32Array(2 * batch.shape[0]).fill(0.5)),
});
const run = (options = {}) => explain(model, tensor([1, 3, 21, 41]), { method: 'centre', options });

it('is highest in the middle and falls like a Gaussian with the shape of the picture', async () => {
  const { map, manifest } = await run();
  expect(argmax(map.data)).toBe(10 * 41 + 20);
  expect(map.data[10 * 41 + 20]).toBe(1);
  const at = (y: number, x: number) => map.data[y * 41 + x];
  expect(at(0, 20)).toBeCloseTo(Math.exp(-0.5 * (10 / (0.25 * 21)) ** 2), 6);
  expect(at(10, 0)).toBeCloseTo(Math.exp(-0.5 * (20 / (0.25 * 41)) ** 2), 6);
  expect(at(3, 7)).toBeCloseTo(at(3, 20) * at(10, 7), 6);
  expect(at(3, 7)).toBe(at(17, 33));
  expect(manifest.modelCalls).toEqual({ forward: 0, backward: 0 });
});

it('has the width that sigma sets', async () => {
  const { map } = await run({ sigma: 0.5 });
  expect(map.data[20]).toBeCloseTo(Math.exp(-0.5 * (10 / 10.5) ** 2), 6);
});
