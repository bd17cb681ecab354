import { describe, expect, it } from 'vitest';
import { sum } from '../../tensor/statistics.ts';
import { Regions, rankRegions } from './regions.ts';

describe('regions', () => {
  const values = Float64Array.from([9, 9, 1, 1, 5, 5, 1, 1, 0, 0, 0, 0]);
  const regions = new Regions(
    [
      Int32Array.from([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]),
      Int32Array.from([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]),
    ],
    3,
    4,
    0,
  );

  it('adds the region with the largest mean in each step', () => {
    const { map, added } = rankRegions(regions, values, { algorithm: 'full', minArea: 1 });
    expect([...map]).toEqual([9, 9, 1, 1, 5, 5, 1, 1, 0, 0, 0, 0]);
    expect(added).toBe(5);
  });

  it('skips regions that add too few pixels, and gives the remaining pixels their mean', () => {
    const { map } = rankRegions(regions, values, { algorithm: 'full', minArea: 5 });
    expect([...map]).toEqual([5, 5, 5, 5, 5, 5, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3, 1 / 3]);
    const { map: rest } = rankRegions(regions, values, { algorithm: 'full', minArea: 7 });
    expect(rest).toBeAllClose(
      Array.from(rest, () => sum(values) / 12),
      { atol: 5e-11 },
    );
  });

  it('dilates regions by a disk', () => {
    const labels = new Int32Array(49);
    labels[24] = 1;
    const [, speck] = new Regions([labels], 7, 7, 2).pixels;
    expect([...speck]).toEqual([10, 16, 17, 18, 22, 23, 24, 25, 26, 30, 31, 32, 38]);
  });
});
