import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { slidingWindows, windowSums } from './windows.ts';

describe('slidingWindows', () => {
  it('steps by the stride and moves the last window back to the border', () => {
    expect([...slidingWindows(5, 4, [2, 4], [2, 1])]).toEqual([0, 0, 2, 4, 2, 0, 4, 4, 3, 0, 5, 4]);
  });

  it('is one window if the window is larger than the picture', () => {
    expect([...slidingWindows(3, 3, [9, 9], [1, 1])]).toEqual([0, 0, 3, 3]);
  });
});

describe('windowSums', () => {
  it('equals a literal sum over windows and pixels, and ignores parts outside the picture', () => {
    const random = createRandom(1);
    const [height, width] = [9, 7];
    const windows = Int32Array.from(
      { length: 80 },
      (_, i) => random.integer(12) - 2 + (i % 4 >= 2 ? 3 : 0),
    );
    const values = Float64Array.from({ length: 20 }, () => random.normal());
    const { sums, coverage } = windowSums(windows, values, height, width);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const inside = [...values.keys()].filter(
          (n) =>
            y >= windows[4 * n] &&
            x >= windows[4 * n + 1] &&
            y < windows[4 * n + 2] &&
            x < windows[4 * n + 3],
        );
        expect(coverage[y * width + x]).toBeCloseTo(inside.length, 10);
        expect(sums[y * width + x]).toBeCloseTo(
          inside.reduce((sum, n) => sum + values[n], 0),
          10,
        );
      }
    }
  });
});
