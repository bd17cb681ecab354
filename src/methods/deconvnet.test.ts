import { expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { convNet, linearNet, picture } from './fixtures/nets.ts';

it('is the gradient where there is no ReLU', async () => {
  const model = await linearNet();
  const [plain, other] = await Promise.all(
    ['gradient', 'deconvnet'].map(
      async (method) => (await explain(model, picture, { method, target: 1 })).map.data,
    ),
  );
  other.forEach((value, i) => expect(value).toBeCloseTo(plain[i], 6));
});

it('leaves out the gates of the forward pass: with ReLUs it depends on the picture through the head only', async () => {
  const linear = await convNet('linear');
  const mirrored = { ...picture, data: picture.data.toReversed() };
  const [a, b] = await Promise.all(
    [picture, mirrored].map(
      async (x) => (await explain(linear, x, { method: 'deconvnet', target: 1 })).map.data,
    ),
  );
  a.forEach((value, i) => expect(value).toBeCloseTo(b[i], 5));
});
