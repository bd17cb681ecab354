import { describe, expect, it } from 'vitest';
import { areaUnder, changedPixels } from './perturbation-curve.ts';

describe('areaUnder', () => {
  it('equals the trapezoid sum over equal distances', () => {
    expect(areaUnder([1, 1, 1])).toBe(1);
    expect(areaUnder([0, 1])).toBe(0.5);
    expect(areaUnder([4, 2, 1, 0])).toBeCloseTo((3 + 1.5 + 0.5) / 3, 12);
    expect(areaUnder([0.7])).toBe(0.7);
  });
});

describe('the numbers of changed pixels', () => {
  it('grow by the step, and the last step is shorter', () => {
    expect(changedPixels(10, 4)).toEqual([0, 4, 8, 10]);
    expect(changedPixels(8, 4)).toEqual([0, 4, 8]);
    expect(changedPixels(50176, 224)).toHaveLength(225);
  });

  it('are shares, rounded down to whole pixels', () => {
    expect(changedPixels(50176, 0.1)).toEqual([
      0, 5017, 10035, 15052, 20070, 25088, 30105, 35123, 40140, 45158, 50176,
    ]);
    expect(changedPixels(30, 0.1)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]);
    expect(changedPixels(100, 0.05)).toHaveLength(21);
    expect(changedPixels(10, 0.3)).toEqual([0, 3, 6, 9, 10]);
  });
});
