import { expect, it } from 'vitest';
import { quantile } from './quantile.ts';

it('quantile interpolates between sorted values', () => {
  expect([0, 0.25, 0.5, 1].map((share) => quantile([10, 20, 40], share))).toEqual([10, 15, 20, 40]);
  expect(quantile(Float32Array.of(1, 2, 4, 9), 0.5)).toBe(3);
  expect(quantile([], 0.5)).toBeNaN();
});
