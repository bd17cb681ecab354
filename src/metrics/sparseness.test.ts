import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { sparseness } from './sparseness.ts';

const score = async (...values: number[]) =>
  (await sparseness.score({ map: tensor([1, values.length], Float32Array.from(values)) })).value;

describe('sparseness', () => {
  it('is 0 for equal values and (n-1)/n for a single one, for any sign and unit', async () => {
    expect(await score(2, -2, 2, 2)).toBeCloseTo(0, 12);
    expect(await score(0, 0, 0, 7)).toBeCloseTo(3 / 4, 12);
    expect(await score(0, -7000, 0, 0)).toBeCloseTo(3 / 4, 12);
  });

  it('equals half the mean difference divided by the mean', async () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const differences = values
      .flatMap((a) => values.map((b) => Math.abs(a - b)))
      .reduce((sum, x) => sum + x, 0);
    const sum = values.reduce((total, x) => total + x, 0);
    expect(await score(...values)).toBeCloseTo(differences / (2 * values.length * sum), 12);
  });

  it('has no value for a map of zeros', async () => {
    expect(await sparseness.score({ map: tensor([1, 2]) })).toMatchObject({
      value: null,
      reason: 'the map is zero everywhere',
    });
  });
});
