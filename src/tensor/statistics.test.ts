import { describe, expect, it } from 'vitest';
import { createRandom } from './random.ts';
import { averageRanks, extent, mean, pearson, quantile, spearman, sum } from './statistics.ts';

describe('sum, mean and extent', () => {
  it('return known values, in double precision', () => {
    expect(sum([1, 2, 3.5])).toBe(6.5);
    expect(sum(Float32Array.of(16777216, 1, 1))).toBe(16777218); // float32 would lose the ones
    expect(mean([1, 2, 6])).toBe(3);
    expect(extent(Int32Array.of(3, -1, 7))).toEqual([-1, 7]);
    expect(extent([2, Number.NaN, 1])).toEqual([1, 2]);
  });

  it('return 0, NaN and an empty interval for no values', () => {
    expect(sum([])).toBe(0);
    expect(mean([])).toBeNaN();
    expect(extent([])).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  });
});

it('quantile interpolates between sorted values', () => {
  expect([0, 0.25, 0.5, 1].map((share) => quantile([10, 20, 40], share))).toEqual([10, 15, 20, 40]);
  expect(quantile(Float32Array.of(1, 2, 4, 9), 0.5)).toBe(3);
  expect(quantile([], 0.5)).toBeNaN();
});

describe('pearson and spearman', () => {
  it('return known values', () => {
    expect([...averageRanks([3, 1, 3, 2])]).toEqual([2.5, 0, 2.5, 1]);
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(pearson([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12);
    expect(spearman([1, 10, 100], [1, 2, 3])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3], [9, 8, -1])).toBeCloseTo(-1, 12);
    expect(spearman([1, 1, 1], [1, 2, 3])).toBe(0);
  });

  it('spearman returns 1 - 6 sum d² / (n (n² - 1)) if there are no ties', () => {
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
