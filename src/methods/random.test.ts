import { expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { extent } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';

const model = createFunctionModel({
  name: 'constant',
  labels: ['a', 'b'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [40, 40] },
  output: 'probabilities',
  classify: async (batch) =>
    tensor([batch.shape[0], 2], new Float32Array(2 * batch.shape[0]).fill(0.5)),
});
const run = (seed: number) => explain(model, tensor([1, 3, 40, 40]), { method: 'random', seed });

it('is uniform noise that depends only on the seed and costs no model call', async () => {
  const { map, manifest } = await run(1);
  const [min, max] = extent(map.data);
  expect(min).toBeGreaterThanOrEqual(0);
  expect(max).toBeLessThan(1);
  expect(map.data.reduce((a, b) => a + b) / 1600).toBeCloseTo(0.5, 1);
  expect(manifest.modelCalls).toEqual({ forward: 0, backward: 0 });
  expect([...(await run(1)).map.data]).toEqual([...map.data]);
  expect([...(await run(2)).map.data]).not.toEqual([...map.data]);
});
