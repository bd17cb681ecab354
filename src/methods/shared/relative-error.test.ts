import { expect, it } from 'vitest';
import { relativeError } from './relative-error.ts';

it('divides the mean error by the range of the map', () => {
  expect(relativeError([-1, 0, 3], [0.1, 0.2, 0.3])).toBeCloseTo(0.05, 12);
});

it('is 0 for a constant map', () => {
  expect(relativeError([2, 2], [0.1, 0.2])).toBe(0);
});
