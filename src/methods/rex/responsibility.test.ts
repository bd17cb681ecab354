import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { areaOf, type Box, canSplit, eachPixel, segmentsOf, splitBox } from './boxes.ts';
import { responsibilities, walk } from './responsibility.ts';

/** Whether each set of 4 parts passes, from a formula. */
const table = (formula: (a: boolean, b: boolean, c: boolean, d: boolean) => boolean) =>
  Array.from({ length: 16 }, (_, bits) => {
    const [a = false, b = false, c = false, d = false] = [1, 2, 4, 8].map((bit) => !!(bits & bit));
    return formula(a, b, c, d);
  });

describe('responsibilities', () => {
  it.each([
    ['an AND of two parts', table((a, b) => a && b), [1, 1, 0, 0]],
    ['an OR of two parts', table((a, b) => a || b), [1 / 2, 1 / 2, 0, 0]],
    ['an OR of four parts', table((a, b, c, d) => a || b || c || d), Array(4).fill(1 / 4)],
    ['two of three parts', table((a, b, c) => +a + +b + +c >= 2), [1 / 2, 1 / 2, 1 / 2, 0]],
    ['one part, or two others', table((a, b, c) => a || (b && c)), [1 / 2, 1 / 2, 1 / 2, 0]],
    ['a class that needs no part', table(() => true), [0, 0, 0, 0]],
  ])('of %s', (_, passes, expected) => {
    expect(responsibilities(4, passes)).toEqual(expected);
  });
});

describe('boxes', () => {
  it('are cut into boxes that cover each pixel once, and keep their short sides', () => {
    const random = createRandom(1);
    const box: Box = { top: 2, left: 1, bottom: 9, right: 12 };
    for (let round = 0; round < 50; round++) {
      const parts = splitBox(box, 1, random);
      expect(parts).toHaveLength(4);
      const seen = new Uint8Array(20 * 20);
      for (const part of parts)
        eachPixel(part, 20, (pixel) => {
          seen[pixel] += 1;
        });
      expect(seen.reduce((sum, times) => sum + times, 0)).toBe(areaOf(box));
      expect(Math.max(...seen)).toBe(1);
    }
    const low = splitBox({ ...box, bottom: 4 }, 2, random);
    expect(low.map(({ top, bottom }) => [top, bottom])).toEqual([
      [2, 4],
      [2, 4],
    ]);
    expect(canSplit({ ...box, bottom: 4, right: 3 }, 2)).toBe(false);
  });

  it('are segments of the picture', () => {
    const [a, b]: Box[] = [
      { top: 0, left: 0, bottom: 1, right: 2 },
      { top: 1, left: 1, bottom: 2, right: 3 },
    ];
    expect([...segmentsOf([a], [b], 2, 3)]).toEqual([1, 1, 0, 0, 2, 2]);
  });
});

describe('walk', () => {
  const whole: Box = { top: 0, left: 0, bottom: 8, right: 8 };
  const contains = (boxes: readonly Box[], y: number, x: number) =>
    boxes.some((box) => box.top <= y && y < box.bottom && box.left <= x && x < box.right);

  it('ends at the pixels that are needed', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const left = await walk(whole, {
        minSide: 1,
        random: createRandom(seed),
        test: async (context, parts, sets) =>
          sets.map((shown) => {
            const boxes = [...context, ...parts.filter((_, i) => shown & (1 << i))];
            return contains(boxes, 1, 2) && contains(boxes, 6, 5);
          }),
        hasRoom: () => true,
        onPart: () => {},
      });
      expect(left.map(({ top, left: x, bottom, right }) => [top, x, bottom, right]).sort()).toEqual(
        [
          [1, 2, 2, 3],
          [6, 5, 7, 6],
        ],
      );
    }
  });

  it('stops before the first split that has no room', async () => {
    let splits = 0;
    await walk(whole, {
      minSide: 1,
      random: createRandom(0),
      test: async (_, __, sets) => {
        splits++;
        return sets.map(() => false);
      },
      hasRoom: () => splits < 3,
      onPart: () => {},
    });
    expect(splits).toBe(3);
  });
});
