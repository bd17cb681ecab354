import { describe, expect, test } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { minMax, normalizeSigned, normalizeUnsigned, percentile } from './normalize.ts';

const map = (...values: number[]) => tensor([1, values.length], Float32Array.from(values));

describe('percentile', () => {
  test('interpolates between neighbours as numpy.percentile does', () => {
    expect(percentile([4, 1, 3, 2], 50)).toBe(2.5);
    expect(percentile([10, 20, 30], 25)).toBe(15);
    expect(percentile([10, 20, 30], 100)).toBe(30);
    expect(percentile([7], 99.5)).toBe(7);
  });

  test('refuses a value that is not a percentage', () => {
    expect(() => percentile([1], 101)).toThrow('from 0 to 100');
    expect(() => percentile([1], Number.NaN)).toThrow('from 0 to 100');
  });
});

describe('maps without a sign', () => {
  test('min-max brings the ends to 0 and 1', () => {
    expect([...minMax(map(-2, 0, 2)).data]).toEqual([0, 0.5, 1]);
  });

  test('the high percentile is clipped, so that an outlier does not darken the rest', () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => i / 1000);
    values[0] = 1e6;
    const shown = normalizeUnsigned(tensor([10, 100], values)).data;
    expect(shown[0]).toBe(1);
    expect(shown[500]).toBeGreaterThan(0.45);
  });

  test('a map that is constant up to rounding is all zero', () => {
    expect([...minMax(map(3, 3, 3)).data]).toEqual([0, 0, 0]);
    expect([...normalizeUnsigned(map(0.3, 0.30000001, 0.3)).data]).toEqual([0, 0, 0]);
  });

  test('a map that is zero but for one pixel still shows that pixel', () => {
    const values = new Float32Array(1000);
    values[7] = 2;
    expect(normalizeUnsigned(tensor([10, 100], values)).data[7]).toBe(1);
  });
});

describe('signed maps', () => {
  test('zero stays zero and both sides keep their proportion', () => {
    expect([...normalizeSigned(map(-1, 0, 2, 4), { percentiles: [0, 100] }).data]).toEqual([
      -0.25, 0, 0.5, 1,
    ]);
  });

  test('a sparse map and an all-zero one', () => {
    const values = new Float32Array(1000);
    values[7] = -2;
    expect(normalizeSigned(tensor([10, 100], values)).data[7]).toBe(-1);
    expect([...normalizeSigned(map(0, 0)).data]).toEqual([0, 0]);
  });
});
