import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { context, H, inverted, mapOf, R, randomMap, region, W } from './fixtures/region-scene.ts';
import { infidelity } from './infidelity.ts';

describe('infidelity', () => {
  const score = async (map: Tensor, options: Record<string, unknown>, more = {}) =>
    (await infidelity.score({ ...context, map, options, ...more })).value as number;
  const contributions = mapOf(Array.from(region, (value) => value / R));

  it('is 0 for the contributions of a linear model, with scale for any multiple', async () => {
    expect(await score(contributions, { scale: false })).toBeLessThan(1e-12);
    expect(await score(mapOf(region.map((value) => 7 * value)), {})).toBeLessThan(1e-12);
    expect(await score(mapOf(region.map((value) => 7 * value)), { scale: false })).toBeGreaterThan(
      1,
    );
    for (const map of [inverted, randomMap(1)]) expect(await score(map, {})).toBeGreaterThan(1e-3);
  });

  it('is the mean squared loss for a map of zeros, the maximum with scale', async () => {
    const zero = mapOf(new Float32Array(H * W));
    const [scaled, plain] = [await score(zero, {}), await score(zero, { scale: false })];
    expect(scaled).toBe(plain);
    // The negative map predicts nothing.
    expect(await score(mapOf(Array.from(region, (value) => -value)), {})).toBe(plain);
    for (const seed of [1, 2]) expect(await score(randomMap(seed), {})).toBeLessThanOrEqual(plain);
    // One square with the shorter side of the picture, W. It hides the whole region, or all except
    // its top rows.
    const whole = await score(zero, { side: 1, scale: false });
    expect(whole).toBeGreaterThan(0.9);
    expect(whole).toBeLessThanOrEqual(1);
  });

  it('multiplies weights by the change of the pixels', async () => {
    const double = tensor([1, 1, H, W], new Float32Array(H * W).fill(2));
    expect(
      await score(contributions, { map: 'weights', scale: false }, { input: double }),
    ).toBeLessThan(1e-12);
    expect(await score(contributions, { scale: false }, { input: double })).toBeGreaterThan(1e-3);
  });
});
