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
import { describePixelReference } from './fixtures/reference.ts';
import { methods } from './index.ts';

// Springenberg et al. 2015, figure 1.
it('passes positive gradients through active ReLUs only', async () => {
  const biases = [0.25, -0.5, 0.1];
  const sums = denseSums(biases);
  expect(sums.some((z) => z < 0)).toBe(true);
  for (const target of [0, 1]) {
    const passed = sums.map((z, j) => (z > 0 ? Math.max(0, headWeights[j][target]) : 0));
    const { map } = await explain(await denseNet(biases), densePicture, {
      method: 'guided-backprop',
      target,
    });
    expect(map).toBeAllClose(denseWeights.map((row) => sum(row.map((w, j) => w * passed[j]))));
  }
});

it('equals the gradient in a network without ReLU, and differs in a network with one', async () => {
  const maps = async (model: Parameters<typeof explain>[0]) =>
    Promise.all(
      ['gradient', 'guided-backprop'].map(
        async (method) =>
          (await explain(model, picture, { method: methods.get(method), target: 1 })).map.data,
      ),
    );
  const [plain, guided] = await maps(await linearNet());
  expect(guided).toBeAllClose(plain, { atol: 5e-7 });
  const [a, b] = await maps(await convNet('tanh'));
  expect(a).not.toBeAllClose(b, { atol: 1e-3 });
});

describePixelReference('guided-backprop', 'guided_backprop', () => ({}), 1e-3);
