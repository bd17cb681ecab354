import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { rectangle } from './fixtures/region-model.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { H, mapOf, object, peak, perfect, shared, shifted, W } from './fixtures/squares.ts';
import { iou } from './iou.ts';

const score = async (map: ReturnType<typeof peak>, mask = object, more = {}) =>
  (await iou.score({ map, mask, ...more })).value;

describe('IoU', () => {
  it('equals the intersection over the union of two squares', async () => {
    for (let by = 0; by <= 12; by++)
      expect(await score(shifted(by))).toBeCloseTo(shared(by) / (200 - shared(by)), 12);
  });

  it('counts every mask value except 0 as object', async () => {
    expect(
      await score(
        perfect,
        object.map((value) => 255 * value),
      ),
    ).toBe(1);
    expect(await score(peak(0, 0))).toBe(0);
    expect(await score(peak(1, 1), new Uint8Array(H * W).fill(1))).toBeCloseTo(1 / (H * W), 12);
  });

  it('is 0 for the inverted map, for any range', async () => {
    expect(await score(mapOf(Array.from(object, (value) => 7 - 3 * value)))).toBe(0);
  });

  it('activates pixels strictly above the share of the range', async () => {
    const ramp = tensor(
      [1, 11],
      Float32Array.from({ length: 11 }, (_, i) => 8 * i - 16),
    ); // limit at share 0.5: 24
    const mask = rectangle(1, 11, [0, 6, 1, 11]);
    // The sixth pixel, exactly 24, is not activated.
    expect(await score(ramp, mask, { options: { threshold: 0.5 } })).toBe(1);
    expect(await score(ramp, mask)).toBeCloseTo(5 / 7, 12); // 0.3 of the range: indices 4 … 10
  });

  it('is 0 for a constant map, at any threshold', async () => {
    const constant = mapOf(new Float32Array(H * W).fill(0.1));
    for (const threshold of [0, 0.3, 1])
      expect(await score(constant, object, { options: { threshold } })).toBe(0);
  });

  it('activates no pixel with threshold 1, and all pixels above the minimum with 0', async () => {
    expect(await score(perfect, object, { options: { threshold: 1 } })).toBe(0);
    expect(await score(perfect, object, { options: { threshold: 0 } })).toBe(1);
  });

  it('does not count void pixels', async () => {
    const left = rectangle(H, W, [0, 15, H, W]); // all of a map shifted by 4 beyond the object
    expect(await score(shifted(4), object, { void: left })).toBeCloseTo(60 / 100, 12);
  });

  itComparesWithObjects(iou);
});
