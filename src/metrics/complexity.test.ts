import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { complexity } from './complexity.ts';

const score = async (...values: number[]) =>
  (await complexity.score({ map: tensor([1, values.length], Float32Array.from(values)) })).value;

describe('complexity', () => {
  it('is ln n for n equal values among zeros, and 0 for a single value', async () => {
    expect(await score(5, -5, 0, 5, 5, 0)).toBeCloseTo(Math.log(4), 12);
    expect(await score(0, 0, 3)).toBe(0);
    expect(await score(1, 3)).toBeCloseTo(-(0.25 * Math.log(0.25) + 0.75 * Math.log(0.75)), 12);
  });

  it('has no value for a map of zeros', async () => {
    expect(await complexity.score({ map: tensor([1, 2]) })).toMatchObject({
      value: null,
      reason: 'the map is zero everywhere',
    });
  });
});
