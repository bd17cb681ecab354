import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { context, H, input, inverted, mapOf, perfect, region, W } from './fixtures/region-scene.ts';
import { increaseInConfidence } from './increase-in-confidence.ts';

const score = async (map: Tensor, picture = input) =>
  (await increaseInConfidence.score({ ...context, input: picture, map })).value;

describe('increase in confidence', () => {
  it('equals its closed form for the perfect, the inverted and a constant map', async () => {
    expect(await score(perfect)).toBe(0);
    expect(await score(inverted)).toBe(0);
    expect(await score(mapOf(new Float32Array(H * W).fill(3)))).toBe(0);
  });

  it('multiplies the picture by the map, scaled to 0 … 1', async () => {
    // The region has half the range of the map.
    const map = mapOf(region.map((value, i) => (value ? 5 : i === 0 ? 9 : 1)));
    expect(await score(map)).toBeCloseTo(0, 6);
  });

  it('is 1 if the map hides evidence against the class', async () => {
    const against = Uint8Array.from(region, (value, i) => (value && i % 2 ? 1 : 0));
    const picture = tensor(
      [1, 1, H, W],
      Float32Array.from(region, (value, i) => (against[i] ? -0.5 : value)),
    );
    const map = mapOf(region.map((value, i) => value - against[i]));
    expect(await score(map, picture)).toBe(1);
  });

  it('has no value if the probability of the class is 0', async () => {
    expect(await score(perfect, tensor([1, 1, H, W]))).toBeNull();
  });
});
