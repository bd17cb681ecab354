import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { averageDrop } from './average-drop.ts';
import { context, H, input, inverted, mapOf, perfect, region, W } from './fixtures/region-scene.ts';

const score = async (map: Tensor, picture = input) =>
  (await averageDrop.score({ ...context, input: picture, map })).value;

describe('average drop', () => {
  it('equals its closed form for the perfect, the inverted and a constant map', async () => {
    expect(await score(perfect)).toBe(0);
    expect(await score(inverted)).toBe(1);
    expect(await score(mapOf(new Float32Array(H * W).fill(3)))).toBe(1);
  });

  it('multiplies the picture by the map, scaled to 0 … 1', async () => {
    // The region has half the range of the map.
    const map = mapOf(region.map((value, i) => (value ? 5 : i === 0 ? 9 : 1)));
    expect(await score(map)).toBeCloseTo(0.5, 6);
  });

  it('is 0 if the masked picture has a higher score', async () => {
    const against = Uint8Array.from(region, (value, i) => (value && i % 2 ? 1 : 0));
    const picture = tensor(
      [1, 1, H, W],
      Float32Array.from(region, (value, i) => (against[i] ? -0.5 : value)),
    );
    const map = mapOf(region.map((value, i) => value - against[i]));
    expect(await score(map, picture)).toBe(0);
  });

  it('has no value if the probability of the class is 0', async () => {
    expect(await score(perfect, tensor([1, 1, H, W]))).toBeNull();
  });
});
