import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { H, pictureOf, W } from '../fixtures/chessboard.ts';
import { fillFromKnown } from './scattered-fill.ts';

describe('the interpolation of unknown pixels', () => {
  const random = createRandom(1);
  const some = Uint8Array.from({ length: H * W }, () => (random.uniform() < 0.05 ? 1 : 0));

  it('is exact for a plane, for any known pixels', () => {
    const plane = pictureOf((x, y, c) => 2 * x + 3 * y + 10 * c);
    expect(fillFromKnown(plane, some)).toEqual(plane);
    expect(fillFromKnown(plane, new Uint8Array(H * W))).toEqual(plane); // from the corners alone
    expect(fillFromKnown(plane, new Uint8Array(H * W).fill(1))).toEqual(plane);
  });

  it('keeps known pixels, and stays within the values of the triangle', () => {
    const noise = pictureOf(() => random.integer(256));
    const filled = fillFromKnown(noise, some);
    some.forEach((known, i) => {
      if (known)
        expect(filled.data.subarray(3 * i, 3 * i + 3)).toEqual(
          noise.data.subarray(3 * i, 3 * i + 3),
        );
    });
    const flat = pictureOf((x) => (x < 15 ? 40 : 200));
    for (const value of fillFromKnown(flat, some).data)
      expect(value >= 40 && value <= 200).toBe(true);
  });

  it('interpolates between neighbors on a line, and rounds ties to even', () => {
    const line = {
      width: 5,
      height: 2,
      data: Uint8Array.from({ length: 30 }, (_, i) => (Math.floor(i / 3) % 5 === 4 ? 6 : 0)),
    };
    const filled = fillFromKnown(line, new Uint8Array(10));
    // Ties are rounded to even: 1.5 becomes 2, and 4.5 becomes 4.
    expect([0, 1, 2, 3, 4].map((x) => filled.data[3 * x])).toEqual([0, 2, 3, 4, 6]);
  });

  it('takes the mean color if there is no triangle', () => {
    const row = {
      width: 4,
      height: 1,
      data: Uint8Array.from({ length: 12 }, (_, i) => Math.floor(i / 3)),
    };
    expect([...fillFromKnown(row, new Uint8Array(4)).data.filter((_, i) => i % 3 === 0)]).toEqual([
      0, 2, 2, 3,
    ]); // mean 1.5
  });
});
