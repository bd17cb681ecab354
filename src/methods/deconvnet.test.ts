import { expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { sum } from '../tensor/statistics.ts';
import {
  denseNet,
  densePicture,
  denseSums,
  denseWeights,
  headWeights,
} from './fixtures/dense-net.ts';
import { convNet, linearNet, picture } from './fixtures/nets.ts';
import { methods } from './index.ts';

// Zeiler & Fergus 2014, section 2.1.
it('passes positive gradients through active and inactive ReLUs', async () => {
  const biases = [0.25, -0.5, 0.1];
  const sums = denseSums(biases);
  expect(sums.some((z) => z < 0)).toBe(true);
  for (const target of [0, 1]) {
    const passed = sums.map((_, j) => Math.max(0, headWeights[j][target]));
    const { map } = await explain(await denseNet(biases), densePicture, {
      method: 'deconvnet',
      target,
    });
    expect(map).toBeAllClose(denseWeights.map((row) => sum(row.map((w, j) => w * passed[j]))));
  }
});

it('equals the gradient in a network without ReLU', async () => {
  const model = await linearNet();
  const [plain, other] = await Promise.all(
    ['gradient', 'deconvnet'].map(
      async (method) =>
        (await explain(model, picture, { method: methods.get(method), target: 1 })).map.data,
    ),
  );
  expect(other).toBeAllClose(plain, { atol: 5e-7 });
});

it('gives the same map for every picture if the head is linear', async () => {
  const linear = await convNet('linear');
  const mirrored = { ...picture, data: picture.data.toReversed() };
  const [a, b] = await Promise.all(
    [picture, mirrored].map(
      async (x) => (await explain(linear, x, { method: 'deconvnet', target: 1 })).map.data,
    ),
  );
  expect(a).toBeAllClose(b, { atol: 5e-6 });
});
