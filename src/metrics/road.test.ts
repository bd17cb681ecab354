import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { rectangle, regionModel } from './fixtures/region-model.ts';
import { road } from './road.ts';

const [H, W] = [12, 10];

describe('ROAD', () => {
  // The region is white (1) on black (0), and its mean is the probability.
  const region = rectangle(H, W, [4, 3, 8, 8]);
  const model = regionModel(H, W, region);
  const input = tensor([1, 1, H, W], Float32Array.from(region));
  const mapOf = (values: ArrayLike<number>) => tensor([H, W], Float32Array.from(values));
  const context = { model, input, target: { index: 0 } };
  const options = { noise: 0 };
  const score = async (map: Tensor, more = {}) =>
    (await road.score({ ...context, map, options, ...more })).value as number;

  it('is high for the perfect map, negative for the inverted map, near 0 for noise', async () => {
    const best = await score(mapOf(region));
    expect(best).toBeGreaterThan(0.3);
    expect(await score(mapOf(region.map((value) => 1 - value)))).toBeLessThan(-0.2);
    const random = createRandom(3);
    const noise = await score(mapOf(Array.from({ length: H * W }, () => random.uniform())));
    expect(Math.abs(noise)).toBeLessThan(0.1);
  });

  it('has a known curve if whole regions are removed', async () => {
    const { curve } = await road.score({
      ...context,
      map: mapOf(region),
      options: { noise: 0, shares: [1 / 6, 0.5] },
    });
    // If the 20 most relevant of 120 pixels are removed, the whole region becomes black like its
    // surroundings: 0. If the least relevant pixels are removed, the whole region stays.
    expect(curve).toEqual({ x: [1 / 6, 0.5], y: [expect.closeTo(0.5, 4), expect.closeTo(0.5, 4)] });
  });

  it('changes its sign if the order is reversed', async () => {
    const random = createRandom(4);
    const values = Array.from({ length: H * W }, () => random.normal());
    expect(await score(mapOf(values.map((value) => -value)))).toBeCloseTo(
      -(await score(mapOf(values))),
      4,
    );
  });

  it('counts highest scores with accuracy, and draws its noise from the seed', async () => {
    // At one tenth, 12 of the 20 pixels of the region are imputed from the other 8, and the class
    // keeps the highest score.
    expect(
      (await road.score({ ...context, map: mapOf(region), preset: 'accuracy', options })).value,
    ).toBeCloseTo(4 / 9, 12);
    const noisy = (seed: number) => road.score({ ...context, map: mapOf(region), seed });
    expect(await noisy(1)).toEqual(await noisy(1));
    expect((await noisy(1)).value).not.toBe((await noisy(2)).value);
    expect((await noisy(1)).preset).toBe('pytorch-grad-cam');
  });
});
