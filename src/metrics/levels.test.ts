import { describe, expect, it } from 'vitest';
import { activatedPixels, curveLevel, imageLevel, pixelLevel } from './levels.ts';

describe('activatedPixels', () => {
  it('counts the pixels above 0.3 of the range', () => {
    expect(activatedPixels([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])).toBe(7);
    expect(activatedPixels([-10, -9, 0])).toBe(1);
    expect(activatedPixels([0, 1, 2, 3, 4], 0.5)).toBe(2);
  });

  it('is 0 for a constant map', () => {
    expect(activatedPixels(new Float32Array(9).fill(0.1))).toBe(0);
    expect(activatedPixels([])).toBe(0);
  });
});

describe('the averages of IASSA', () => {
  const samples = [
    { value: 0.4, activatedPixels: 100 },
    { value: 0.6, activatedPixels: 300 },
    { value: null, activatedPixels: 50 },
    { value: 0.2, activatedPixels: 0 },
  ];

  it('are the mean over the pictures with a score', () => {
    expect(imageLevel(samples)).toEqual({ value: expect.closeTo(0.4, 12), count: 3, excluded: 1 });
  });

  it('are the mean score per activated pixel, without constant maps', () => {
    expect(pixelLevel(samples)).toEqual({
      value: expect.closeTo((0.004 + 0.002) / 2, 12),
      count: 2,
      excluded: 2,
    });
  });

  it('have no value if no picture is left', () => {
    expect(imageLevel([])).toEqual({ value: null, count: 0, excluded: 0 });
    expect(pixelLevel([{ value: 1, activatedPixels: 0 }])).toEqual({
      value: null,
      count: 0,
      excluded: 1,
    });
  });
});

describe('the median of curves', () => {
  const score = (...y: number[]) => ({ value: 0.5, curve: { x: [0, 0.5, 1], y } });

  it('is computed at each point and then integrated', () => {
    const scores = [score(0, 1, 1), score(0, 0.2, 1), score(0, 0.4, 1), { value: null }];
    expect(curveLevel(scores)).toEqual({
      value: expect.closeTo((0.2 + 0.7) / 2, 12),
      count: 3,
      excluded: 1,
      curve: { x: [0, 0.5, 1], y: [0, 0.4, 1] },
    });
    expect(curveLevel(scores.slice(0, 2)).curve?.y[1]).toBeCloseTo(0.6, 12);
    expect(curveLevel(scores, 'mean').curve?.y[1]).toBeCloseTo(1.6 / 3, 12);
    expect(curveLevel([])).toEqual({ value: null, count: 0, excluded: 0, curve: null });
  });

  it('needs curves with the same points', () => {
    expect(() =>
      curveLevel([score(0, 1, 1), { value: 1, curve: { x: [0, 1], y: [0, 1] } }]),
    ).toThrow('curves with different points');
  });
});
