import { describe, expect, it } from 'vitest';
import {
  haveReference,
  recorded,
  recordedCases,
  recordedInput,
} from '../methods/fixtures/reference.ts';
import { extent } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { felzenszwalb } from './felzenszwalb.ts';

/** Two flat halves and a speck of one pixel. */
const halves = tensor(
  [1, 8, 8],
  Float32Array.from({ length: 64 }, (_, i) => (i === 18 ? 0.4 : i % 8 < 4 ? 0 : 1)),
);

describe('felzenszwalb', () => {
  it('separates flat regions, and joins parts that are too small', () => {
    const fine = felzenszwalb(halves, { scale: 1, sigma: 0, minSize: 1 });
    expect(fine).toMatchObject({ width: 8, height: 8, count: 3 });
    expect(fine.labels[18]).toBe(2);
    const coarse = felzenszwalb(halves, { scale: 1, sigma: 0, minSize: 2 });
    expect(coarse.count).toBe(2);
    coarse.labels.forEach((label, i) => expect(label).toBe(i % 8 < 4 ? 0 : 1));
  });

  it('joins all parts if the differences are below the scale', () => {
    expect(felzenszwalb(halves, { scale: 255 * 64, sigma: 0, minSize: 1 }).count).toBe(1);
  });

  it('refuses options out of range', () => {
    expect(() => felzenszwalb(halves, { scale: 0 })).toThrow(
      'felzenszwalb scale 0: expected a finite number above 0',
    );
    expect(() => felzenszwalb(halves, { sigma: -1 })).toThrow('felzenszwalb sigma -1');
    expect(() => felzenszwalb(halves, { minSize: 1.5 })).toThrow('felzenszwalb minSize 1.5');
  });
});

describe.skipIf(!haveReference('xrai'))(
  'felzenszwalb as scikit-image recorded it (needs ../shared)',
  () => {
    const cases = recordedCases('xrai').filter((each) => 'segments' in each.arrays);
    it.each(cases.map((each) => [each.case, each] as const))('%s', (_, each) => {
      const input = recordedInput(each);
      const [min, max] = extent(input.data);
      const planes = tensor(
        [3, 224, 224],
        input.data.map((value) => (2 * (value - min)) / (max - min) - 1),
      );
      const { data } = recorded('xrai', each.arrays.segments);
      [50, 100, 150, 250, 500, 1200].forEach((scale, k) => {
        const { labels, count } = felzenszwalb(planes, { scale, sigma: 0.8, minSize: 150 });
        const expected = data.subarray(k * 224 * 224, (k + 1) * 224 * 224);
        const pairs = new Set(labels.map((label, i) => label * 1000 + expected[i]));
        expect(count).toBe(new Set(expected).size);
        expect(pairs.size).toBe(count); // the same parts, possibly with other numbers
      });
    });
  },
);
