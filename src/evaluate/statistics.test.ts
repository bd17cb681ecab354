import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { mean, spearman } from '../tensor/statistics.ts';
import { createWorkMeter } from './progress.ts';
import { disagreement, sketchOf } from './sketch.ts';
import {
  bootstrapInterval,
  kendallW,
  meanInterval,
  medianAreaInterval,
  ranksOf,
} from './statistics.ts';

describe('the bootstrap interval of a mean', () => {
  it('is as wide as the normal one for many values, and contains the mean', () => {
    const random = createRandom(3);
    const values = Array.from({ length: 400 }, () => 5 + 2 * random.normal());
    const [low, high] = meanInterval(values);
    const sd = Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
    expect(low).toBeCloseTo(mean(values) - (1.96 * sd) / 20, 1);
    expect(high).toBeCloseTo(mean(values) + (1.96 * sd) / 20, 1);
    expect(meanInterval(values)).toEqual([low, high]);
  });

  it('is the value itself for one value or for equal values', () => {
    expect(meanInterval([0.25])).toEqual([0.25, 0.25]);
    expect(meanInterval([2, 2, 2])).toEqual([2, 2]);
  });

  it('covers the true mean of a skewed distribution in about 95% of cases', () => {
    const random = createRandom(8);
    let covered = 0;
    for (let run = 0; run < 300; run++) {
      const [low, high] = meanInterval(
        Array.from({ length: 40 }, () => -Math.log(1 - random.uniform())),
        run,
      );
      if (low <= 1 && 1 <= high) covered += 1;
    }
    // 285 expected, about 281 with the percentile method, which is a little short for skewed data;
    // a third wider covers 293.
    expect(covered).toBeGreaterThanOrEqual(270);
    expect(covered).toBeLessThanOrEqual(290);
  });
});

describe('the bootstrap interval of the area under the median curve', () => {
  const random = createRandom(5);
  const median = (values: readonly number[]) => {
    const sorted = Float64Array.from(values).sort();
    const half = sorted.length / 2;
    return sorted.length % 2 === 1
      ? sorted[Math.floor(half)]
      : (sorted[half - 1] + sorted[half]) / 2;
  };

  it.each([1, 2, 7, 12])(
    'equals that of the median curves of the drawn pictures (%i pictures)',
    (count) => {
      const x = [0, 0.2, 0.7, 1];
      // Values of one digit, so that pictures often have equal values at a point.
      const curves = Array.from({ length: count }, () => ({
        x,
        y: x.map(() => Math.round(10 * random.uniform()) / 10),
      }));
      const area = (drawn: ArrayLike<number>) => {
        const y = x.map((_, k) => median(Array.from(drawn, (i) => curves[i].y[k])));
        return 0.2 * (y[0] + y[1]) * 0.5 + 0.5 * (y[1] + y[2]) * 0.5 + 0.3 * (y[2] + y[3]) * 0.5;
      };
      const [low, high] = bootstrapInterval(count, area);
      expect(medianAreaInterval(curves)).toEqual([
        expect.closeTo(low, 12),
        expect.closeTo(high, 12),
      ]);
    },
  );
});

it('ranksOf ranks the better first, equal values alike, and skips missing ones', () => {
  expect(ranksOf([0.2, 0.9, null, 0.2, 0.1], 'higher')).toEqual([2, 1, null, 2, 4]);
  expect(ranksOf([0.2, 0.9, null, 0.2, 0.1], 'lower')).toEqual([2, 4, null, 2, 1]);
});

describe('sketches', () => {
  const map = (value: (x: number, y: number) => number) => ({
    shape: [28, 42],
    data: Float32Array.from({ length: 28 * 42 }, (_, i) => value(i % 42, Math.floor(i / 42))),
  });

  it('are means of cells, from 0 to 255', () => {
    const sketch = sketchOf(map((x) => Math.floor(x / 3)));
    expect(sketch.slice(0, 14)).toEqual(
      Array.from({ length: 14 }, (_, i) => Math.round((255 * i) / 13)),
    );
    expect(sketchOf(map(() => 4))).toEqual(new Array(196).fill(0));
  });

  it('measure how much maps disagree: not at all, or completely', () => {
    const [left, right, top] = [
      sketchOf(map((x) => -x)),
      sketchOf(map((x) => x)),
      sketchOf(map((_, y) => -y)),
    ];
    expect(disagreement([left, left, left])).toBeCloseTo(0, 12);
    expect(disagreement([left, right])).toBeCloseTo(2, 2);
    expect(disagreement([left, top])).toBeCloseTo(1, 2);
    expect(disagreement([left])).toBe(0);
    expect(disagreement([left, sketchOf(map(() => 4))])).toBe(1);
  });
});

describe('the work meter', () => {
  it('weights the remaining steps by the time of their kind', () => {
    const meter = createWorkMeter(new Map([['fast', 3], ['slow', 2]])); // biome-ignore format: short
    expect(meter.share()).toBe(0);
    meter.finish('fast', 1);
    expect(meter.secondsLeft()).toBe(4); // slow ones count as long as fast ones
    meter.finish('slow', 11);
    expect(meter.secondsLeft()).toBe(2 + 11);
    expect(meter.share()).toBeCloseTo(12 / 25, 12);
    meter.finish('slow'); // an earlier run had done it
    meter.drop('fast', 99);
    expect(meter.share()).toBe(1);
  });
});

describe("Kendall's W", () => {
  it('is 1 for judges who agree, and 0 for two who contradict each other', () => {
    expect(kendallW([[1, 2, 3], [1, 2, 3], [1, 2, 3]])).toBe(1); // biome-ignore format: short
    expect(kendallW([[1, 2, 3, 4], [4, 3, 2, 1]])).toBe(0); // biome-ignore format: short
  });

  it('follows from the mean rank correlation of the judges if there are no ties', () => {
    const random = createRandom(2);
    const judges = Array.from({ length: 4 }, () => {
      const keys = Array.from({ length: 7 }, () => random.uniform());
      return keys.map((key) => 1 + keys.filter((other) => other < key).length);
    });
    const pairs = judges.flatMap((a, i) => judges.slice(i + 1).map((b) => spearman(a, b)));
    expect(kendallW(judges)).toBeCloseTo((1 + 3 * mean(pairs)) / 4, 12);
  });

  it('corrects for ties', () => {
    // Sums 2, 4.5, 5.5; 12 · 6.5 / (4 · 24 - 2 · 6) = 78 / 84.
    expect(kendallW([[1, 2.5, 2.5], [1, 2, 3]])).toBeCloseTo(78 / 84, 12); // biome-ignore format: short
  });

  it('has no value for one judge, one item, or judges with equal ranks only', () => {
    expect(kendallW([[1, 2]])).toBeNull();
    expect(kendallW([[1], [1]])).toBeNull();
    expect(kendallW([[1.5, 1.5], [1.5, 1.5]])).toBeNull(); // biome-ignore format: short
  });
});
