import { expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { convNet, linearNet, picture } from './fixtures/nets.ts';
import { describePixelReference } from './fixtures/reference.ts';

it('is the gradient where there is no ReLU, and another map where there is', async () => {
  const maps = async (model: Parameters<typeof explain>[0]) =>
    Promise.all(
      ['gradient', 'guided-backprop'].map(
        async (method) => (await explain(model, picture, { method, target: 1 })).map.data,
      ),
    );
  const [plain, guided] = await maps(await linearNet());
  guided.forEach((value, i) => expect(value).toBeCloseTo(plain[i], 6));
  const [a, b] = await maps(await convNet('tanh'));
  expect(Math.max(...a.map((value, i) => Math.abs(value - b[i])))).toBeGreaterThan(1e-3);
});

describePixelReference('guided-backprop', 'guided_backprop', () => ({}), 1e-3);
