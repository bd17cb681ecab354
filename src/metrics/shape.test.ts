import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { complexity } from './complexity.ts';
import { sparseness } from './sparseness.ts';

const row = (...values: number[]) => tensor([1, values.length], Float32Array.from(values));
const score = async (metric: typeof sparseness, map: ReturnType<typeof row>) =>
  (await metric.score({ map })).value;

describe('sparseness', () => {
  it('is 0 for equal values, (n-1)/n for a single one, whatever their sign and unit', async () => {
    expect(await score(sparseness, row(2, -2, 2, 2))).toBeCloseTo(0, 12);
    expect(await score(sparseness, row(0, 0, 0, 7))).toBeCloseTo(3 / 4, 12);
    expect(await score(sparseness, row(0, -7000, 0, 0))).toBeCloseTo(3 / 4, 12);
  });

  it('is half the mean difference over the mean', async () => {
    const values = [3, 1, 4, 1, 5, 9, 2, 6];
    const differences = values
      .flatMap((a) => values.map((b) => Math.abs(a - b)))
      .reduce((sum, x) => sum + x, 0);
    const sum = values.reduce((total, x) => total + x, 0);
    expect(await score(sparseness, row(...values))).toBeCloseTo(
      differences / (2 * values.length * sum),
      12,
    );
  });
});

describe('complexity', () => {
  it('is ln n for n equal values among zeros, 0 for a single one', async () => {
    expect(await score(complexity, row(5, -5, 0, 5, 5, 0))).toBeCloseTo(Math.log(4), 12);
    expect(await score(complexity, row(0, 0, 3))).toBe(0);
    expect(await score(complexity, row(1, 3))).toBeCloseTo(
      -(0.25 * Math.log(0.25) + 0.75 * Math.log(0.75)),
      12,
    );
  });
});

it('have no value for a map of zeros', async () => {
  for (const metric of [sparseness, complexity])
    expect(await metric.score({ map: row(0, 0) })).toMatchObject({
      value: null,
      reason: 'the map is zero everywhere',
    });
});
