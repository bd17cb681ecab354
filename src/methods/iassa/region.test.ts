import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { correlation, highestActivatedRegion } from './region.ts';

describe('highestActivatedRegion', () => {
  it('contains the pixels strictly above the share of the range, for any offset of the map', () => {
    expect([...highestActivatedRegion(Float32Array.of(-1, -0.25, 0, 1), 0.5)]).toEqual([
      0, 0, 0, 1,
    ]);
    expect([...highestActivatedRegion(Float32Array.of(9, 9.75, 10.5, 11), 0.5)]).toEqual([
      0, 0, 1, 1,
    ]);
  });

  it('contains the values above min + threshold · range of a signed map', () => {
    expect([...highestActivatedRegion([-1, 0, 1, 3], 0.5)]).toEqual([0, 0, 0, 1]);
    expect([...highestActivatedRegion([-1, 0, 1, 3], 0.25)]).toEqual([0, 0, 1, 1]);
    expect([...highestActivatedRegion([2, 2], 0.1)]).toEqual([0, 0]);
  });

  it('is empty for a constant map', () => {
    expect([...highestActivatedRegion(Float32Array.of(5, 5), 0.3)]).toEqual([0, 0]);
  });

  it('is a small part of a map with one peak, not the whole picture', () => {
    const map = Float32Array.from(
      { length: 4096 },
      (_, i) =>
        0.97 + 0.03 * Math.exp(-(((i % 64) - 30) ** 2 + (Math.floor(i / 64) - 20) ** 2) / 50),
    );
    const share = highestActivatedRegion(map, 0.3).reduce((sum, v) => sum + v, 0) / 4096;
    expect(share).toBeGreaterThan(0.02);
    expect(share).toBeLessThan(0.1);
  });
});

describe('correlation', () => {
  it('is 1 for equal maps, -1 for opposite maps, and about 0 for unrelated maps', () => {
    const random = createRandom(1);
    const a = Float32Array.from({ length: 1000 }, () => random.normal());
    const b = Float32Array.from({ length: 1000 }, () => random.normal());
    expect(
      correlation(
        a,
        a.map((x) => 3 * x + 2),
      ),
    ).toBeCloseTo(1, 6);
    expect(
      correlation(
        a,
        a.map((x) => -x),
      ),
    ).toBeCloseTo(-1, 6);
    expect(Math.abs(correlation(a, b))).toBeLessThan(0.1);
    expect(correlation(Float32Array.of(1, 1), Float32Array.of(2, 2))).toBe(1);
    expect(correlation(Float32Array.of(1, 1), Float32Array.of(2, 3))).toBe(0);
  });
});
