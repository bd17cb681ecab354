import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/tensor/random.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { nearest } from '../../studio/src/lib/graph.ts';
import { aligned, difference, likeness, pixelOrder, ranksOf } from '../../studio/src/lib/maths.ts';

describe('the sums of the studio', () => {
  it('orders pixels by value, largest first, and equal ones by index', () => {
    const random = createRandom(3);
    const data = Float32Array.from({ length: 2000 }, (_, i) =>
      i % 5 === 0 ? (i % 2 === 0 ? 0 : -0) : Math.round(100 * (random.uniform() - 0.5)) * 1e-30,
    );
    data.set([Number.MAX_VALUE, -3e38, 1e-45, -1e-45], 7);
    const order = pixelOrder(tensor([40, 50], data));
    const expected = [...data.keys()].sort((a, b) => data[b] - data[a] || a - b);
    expect([...order]).toEqual(expected);
    expect(ranksOf(order)[order[17]]).toBe(17);
  });

  it('brings maps of two models to one part of the picture before it compares them', () => {
    const whole = { left: 0, top: 0, width: 8, height: 4 };
    const middle = { left: 2, top: 0, width: 4, height: 4 };
    const map = tensor(
      [4, 8],
      Float32Array.from({ length: 32 }, (_, i) => i),
    );
    const cut = aligned(map, whole, middle, [4, 4]);
    expect([...cut.data.slice(0, 8)]).toEqual([2, 3, 4, 5, 10, 11, 12, 13]);
    const back = aligned(cut, middle, whole, [4, 8]);
    expect([...back.data.slice(0, 8)]).toEqual([0, 0, 2, 3, 4, 5, 0, 0]);
    expect([...difference(cut, cut).data]).toEqual(Array(16).fill(0));
    expect(likeness(map, map)).toBeCloseTo(1, 12);
    const reversed = tensor(
      [4, 8],
      map.data.map((value) => -value),
    );
    expect(likeness(map, reversed)).toBeCloseTo(-1, 12);
  });

  it('finds the nearest point in a direction, and prefers what lies straight ahead', () => {
    const points = [
      { x: 0, y: 0 },
      { x: 50, y: 0 },
      { x: 20, y: 30 },
      { x: -10, y: 5 },
    ];
    const [middle, right, aside, left] = points as [(typeof points)[0], ...typeof points];
    expect(nearest(points, middle, [1, 0])).toBe(right); // 50 is less than 20 + 3 · 30
    expect(nearest(points, middle, [0, 1])).toBe(left); // 5 + 3 · 10 is less than 30 + 3 · 20
    expect(nearest(points, middle, [-1, 0])).toBe(left);
    expect(nearest(points, right as typeof middle, [1, 0])).toBeUndefined();
    expect(nearest(points, aside as typeof middle, [0, 1])).toBeUndefined();
  });
});
