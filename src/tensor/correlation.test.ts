import { describe, expect, it } from 'vitest';
import { averageRanks, pearson, spearman } from './correlation.ts';
import { createRandom } from './random.ts';

describe('correlations', () => {
  it('have known values', () => {
    expect([...averageRanks([3, 1, 3, 2])]).toEqual([2.5, 0, 2.5, 1]);
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(pearson([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12);
    expect(spearman([1, 10, 100], [1, 2, 3])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3], [9, 8, -1])).toBeCloseTo(-1, 12);
    expect(spearman([1, 1, 1], [1, 2, 3])).toBe(0);
  });

  it('of ranks without ties is 1 - 6 sum d² / (n (n² - 1))', () => {
    const [a, b] = [1, 2].map((seed) => {
      const random = createRandom(seed);
      return Float32Array.from({ length: 144 }, () => random.normal());
    });
    const place = (values: Float32Array) =>
      Array.from(values, (v) => values.filter((other) => other < v).length);
    const [ra, rb] = [place(a), place(b)];
    const n = a.length;
    const squares = ra.reduce((sum, r, i) => sum + (r - rb[i]) ** 2, 0);
    expect(spearman(a, b)).toBeCloseTo(1 - (6 * squares) / (n * (n * n - 1)), 12);
  });
});
