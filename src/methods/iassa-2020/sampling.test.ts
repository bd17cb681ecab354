import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { windowSums } from '../shared/windows.ts';
import {
  iterationGeometry,
  perArea,
  scheduleFor,
  shownGeometry,
  slidingWindowsOverBorder,
  touching,
} from './sampling.ts';

const paper = { window: 45, stride: 8, windowStep: 1.5, strideStep: 0.2 };

describe('iterationGeometry', () => {
  it('follows the schedule of the paper', () => {
    const schedule = [0, 1, 2, 3, 10, 25].map((n) => iterationGeometry(n, paper));
    expect(schedule).toEqual([
      { window: 45, stride: 8 },
      { window: 43, stride: 7 },
      { window: 42, stride: 7 },
      { window: 40, stride: 7 },
      { window: 30, stride: 6 },
      { window: 7, stride: 3 },
    ]);
  });

  it('has a stride of at least one pixel', () => {
    expect(iterationGeometry(1000, { ...paper, windowStep: 0 }).stride).toBe(1);
  });
});

describe('scheduleFor', () => {
  it('is that of the paper in proportion to the side, and keeps given values', () => {
    expect(scheduleFor({}, 224, 300)).toEqual(paper);
    expect(scheduleFor({ stride: 3 }, 64, 28)).toEqual({
      window: 6,
      stride: 3,
      windowStep: 1.5 / 8,
      strideStep: 0.2 / 8,
    });
  });
});

describe('shownGeometry', () => {
  it('scales window and stride', () => {
    expect(shownGeometry({ window: 45, stride: 8 }, 1.4)).toEqual({ window: 63, stride: 11 });
    expect(shownGeometry({ window: 45, stride: 8 }, 1)).toEqual({ window: 45, stride: 8 });
  });
});

describe('perArea', () => {
  it('divides an effect by the area of its window, in units of the first window', () => {
    expect([...perArea(Float64Array.of(8, -4), 20, 10)]).toEqual([2, -1]);
  });
});

describe('slidingWindowsOverBorder', () => {
  it('gives the 1,089 windows of the paper at 224 pixels', () => {
    expect(slidingWindowsOverBorder(224, 224, 45, 8).length / 4).toBe(1089);
  });

  it.each([
    [45, 8],
    [43, 7],
    [12, 3],
  ])('covers the border as often as the middle (window %i, stride %i)', (window, stride) => {
    const windows = slidingWindowsOverBorder(96, 80, window, stride);
    const { coverage } = windowSums(windows, new Float64Array(windows.length / 4), 96, 80);
    const perAxis = [Math.floor(window / stride), Math.ceil(window / stride)];
    for (const count of coverage) {
      expect(count).toBeGreaterThanOrEqual(perAxis[0] ** 2);
      expect(count).toBeLessThanOrEqual(perAxis[1] ** 2);
    }
  });
});

describe('touching', () => {
  it('keeps exactly the windows that contain a pixel of the region', () => {
    const random = createRandom(4);
    const [height, width] = [40, 50];
    const region = Uint8Array.from({ length: height * width }, () =>
      random.uniform() < 0.004 ? 1 : 0,
    );
    const windows = slidingWindowsOverBorder(height, width, 9, 4);
    const kept = touching(windows, region, height, width);
    const literal: number[] = [];
    for (let n = 0; n < windows.length; n += 4) {
      const [top, left, bottom, right] = windows.subarray(n, n + 4);
      let hit = false;
      for (let y = top; y < bottom; y++)
        for (let x = left; x < right; x++) hit ||= region[y * width + x] === 1;
      if (hit) literal.push(top, left, bottom, right);
    }
    expect([...kept]).toEqual(literal);
    expect(kept.length).toBeLessThan(windows.length); // the released rule keeps every one
    expect(kept.length).toBeGreaterThan(0);
  });

  it('keeps about 182 of 1,089 windows for a region of 60 × 70 pixels', () => {
    const region = new Uint8Array(224 * 224);
    for (let y = 80; y < 140; y++) region.fill(1, y * 224 + 75, y * 224 + 145);
    const kept = touching(slidingWindowsOverBorder(224, 224, 45, 8), region, 224, 224).length / 4;
    expect(kept).toBeGreaterThan(170);
    expect(kept).toBeLessThan(210);
  });
});
