import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { rectangle, regionModel } from './fixtures/region-model.ts';
import { road } from './road.ts';

const [H, W] = [12, 10];

describe('ROAD', () => {
  // The region shines (1) on black (0); its mean is the probability.
  const region = rectangle(H, W, [4, 3, 8, 8]);
  const model = regionModel(H, W, region);
  const input = tensor([1, 1, H, W], Float32Array.from(region));
  const mapOf = (values: ArrayLike<number>) => tensor([H, W], Float32Array.from(values));
  const context = { model, input, target: { index: 0 } };
  const options = { noise: 0 };
  const score = async (map: Tensor, more = {}) =>
    (await road.score({ ...context, map, options, ...more })).value as number;

  it('is highest for the perfect map, its negative for the inverted one, near 0 for a random one', async () => {
    const best = await score(mapOf(region));
    expect(best).toBeGreaterThan(0.3);
    expect(await score(mapOf(region.map((value) => 1 - value)))).toBeLessThan(-0.2);
    const random = createRandom(3);
    const noise = await score(mapOf(Array.from({ length: H * W }, () => random.uniform())));
    expect(Math.abs(noise)).toBeLessThan(0.1);
  });

  it('has a known curve where only background is removed', async () => {
    const { curve } = await road.score({
      ...context,
      map: mapOf(region),
      options: { noise: 0, shares: [1 / 6, 0.5] },
    });
    // 20 of 120 pixels most relevant first: all the region goes, black around it: 0. Least relevant
    // first: all of it stays.
    expect(curve).toEqual({ x: [1 / 6, 0.5], y: [expect.closeTo(0.5, 4), expect.closeTo(0.5, 4)] });
  });

  it('turns its sign with the order', async () => {
    const random = createRandom(4);
    const values = Array.from({ length: H * W }, () => random.normal());
    expect(await score(mapOf(values.map((value) => -value)))).toBeCloseTo(
      -(await score(mapOf(values))),
      4,
    );
  });

  it('counts first places with accuracy, draws its noise from the seed', async () => {
    // At a tenth, 12 of the region's 20 pixels are filled in from the other 8, and the class stays
    // first.
    expect(
      (await road.score({ ...context, map: mapOf(region), preset: 'accuracy', options })).value,
    ).toBeCloseTo(4 / 9, 12);
    const noisy = (seed: number) => road.score({ ...context, map: mapOf(region), seed });
    expect(await noisy(1)).toEqual(await noisy(1));
    expect((await noisy(1)).value).not.toBe((await noisy(2)).value);
    expect((await noisy(1)).preset).toBe('pytorch-grad-cam');
  });
});
