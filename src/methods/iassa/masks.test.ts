import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { cellGridOf, hiddenWindows, randomMask } from './masks.ts';

describe('cellGridOf', () => {
  it.each([
    [224, 224, 28, 28],
    [192, 192, 28, 28],
    [224, 448, 28, 56],
    [48, 192, 28, 112],
    [28, 28, 28, 28],
    [8, 16, 8, 16],
  ])('divides %d × %d pixels into %d × %d cells', (height, width, rows, columns) => {
    expect(cellGridOf(height, width)).toEqual({ height: rows, width: columns });
  });
});

describe('hiddenWindows', () => {
  it('spaces windows of 45 of 224 pixels evenly', () => {
    const windows = hiddenWindows({ height: 28, width: 28 }, 100);
    expect(windows).toHaveLength(100);
    const hidden = windows.map((mask) => mask.reduce((sum, shown) => sum + 1 - shown, 0));
    const side = (28 * 45) / 224;
    expect(Math.max(...hidden)).toBeCloseTo(side ** 2, 4);
    expect(Math.min(...hidden)).toBeCloseTo((28 / 20 + side / 2) ** 2, 4); // clipped at a corner
  });

  it.each([2, 5, 16, 30, 250])('makes at most %d windows, which hide every cell', (count) => {
    const grid = { height: 14, width: 28 };
    const windows = hiddenWindows(grid, count);
    expect(windows.length).toBeLessThanOrEqual(Math.max(2, count));
    for (let cell = 0; cell < 14 * 28; cell++) {
      const hidden = windows.reduce((sum, mask) => sum + 1 - mask[cell], 0);
      expect(hidden).toBeGreaterThan(0.999);
    }
  });
});

describe('randomMask', () => {
  it('shows the given share of the cells on average, smoothly', () => {
    const random = createRandom(1);
    const grid = { height: 28, width: 28 };
    const masks = Array.from({ length: 400 }, () => randomMask(grid, 7, 0.3, random));
    const all = masks.flatMap((mask) => [...mask]);
    expect(all.reduce((a, b) => a + b) / all.length).toBeCloseTo(0.3, 1);
    expect(Math.min(...all.slice(0, 784 * 20))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...all.slice(0, 784 * 20))).toBeLessThanOrEqual(1);
    // A coarse cell is 4 cells wide, so neighbors differ by a quarter at most.
    for (const mask of masks.slice(0, 20))
      for (let i = 0; i < 784; i++)
        if (i % 28 > 0) expect(Math.abs(mask[i] - mask[i - 1])).toBeLessThanOrEqual(0.2501);
  });
});
