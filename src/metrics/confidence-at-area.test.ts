import { describe, expect, it } from 'vitest';
import type { Tensor } from '../tensor/tensor.ts';
import { confidenceAtArea } from './confidence-at-area.ts';
import { context, H, inverted, perfect, R, W } from './fixtures/region-scene.ts';

const score = (map: Tensor, options = {}) => confidenceAtArea.score({ ...context, map, options });

describe('confidence at area', () => {
  it('is the share of the region that fits into the area for the perfect map', async () => {
    // A step of 5 % is 6 pixels. The region has R = 20 of 120 pixels.
    const at = async (area: number) => (await score(perfect, { area, step: 0.05 })).value;
    expect(await at(0.05)).toBeCloseTo(6 / R, 6);
    expect(await at(0.1)).toBeCloseTo(12 / R, 6);
    expect(await at(0.5)).toBe(1);
  });

  it('ends the curve at the area', async () => {
    const { curve } = await score(perfect, { area: 0.12, step: 0.05 });
    expect(curve?.x).toEqual([0, 6 / (H * W), 12 / (H * W)]);
  });

  it('is 0 while only pixels outside the region are shown', async () => {
    expect((await score(inverted, { area: 0.8, step: 0.05 })).value).toBe(0);
    expect((await score(inverted, { area: 1, step: 0.05 })).value).toBe(1);
  });

  it('is the highest score, not the last one', async () => {
    // Class 1 has the rest of the probability, which falls while the region appears.
    const { value } = await confidenceAtArea.score({
      ...context,
      target: { index: 1 },
      map: perfect,
      options: { area: 1, step: 0.05 },
    });
    expect(value).toBe(1);
  });
});
