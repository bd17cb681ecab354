import { describe, expect, it } from 'vitest';
import type { Tensor } from '../tensor/tensor.ts';
import { context, H, mapOf, perfect, randomMap, region, W } from './fixtures/region-scene.ts';
import { muFidelity } from './mu-fidelity.ts';

describe('μFidelity', () => {
  const options = { grid: 5 };
  const score = async (map: Tensor, more = {}) =>
    (await muFidelity.score({ ...context, map, options, ...more })).value as number;

  it('is 1 for the contributions of a linear model, and -1 for their negative', async () => {
    expect(await score(perfect)).toBeCloseTo(1, 9);
    expect(await score(mapOf(region.map((value) => 40 * value)))).toBeCloseTo(1, 9);
    expect(await score(mapOf(Array.from(region, (value) => -value)))).toBeCloseTo(-1, 9);
    for (const seed of [1, 2, 3]) expect(Math.abs(await score(randomMap(seed)))).toBeLessThan(0.7);
  });

  it('is about 0 for a map of ones, unless sets have different sizes', async () => {
    const ones = mapOf(new Float32Array(H * W).fill(1));
    // A cell has 30 pixels, so every set of one cell has the same sum.
    const divisible = { grid: 2, subset: 0.25 };
    expect(await score(ones, { options: divisible })).toBe(0);
    expect(
      await score(ones, { preset: 'xplique', options: { score: 'probability', grid: 5 } }),
    ).toBeGreaterThan(0.3);
  });

  it('is 0 for a map of zeros, and depends on the seed, not on the batch size', async () => {
    expect(await score(mapOf(new Float32Array(H * W)))).toBe(0);
    const map = randomMap(5);
    expect(await score(map, { batchSize: 1 })).toBe(await score(map, { batchSize: 64 }));
    expect(await score(map, { seed: 1 })).not.toBe(await score(map));
  });
});
