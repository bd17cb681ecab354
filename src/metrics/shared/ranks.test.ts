import { describe, expect, it } from 'vitest';
import { pixelOrder, ranksOf } from './ranks.ts';

describe('the order of the pixels', () => {
  it('keeps equal values in the order of their index', () => {
    expect([...pixelOrder([1, 3, 1, 3, 2])]).toEqual([1, 3, 4, 0, 2]);
    expect([...pixelOrder(new Float32Array(5))]).toEqual([0, 1, 2, 3, 4]);
    expect([...pixelOrder([0, -0, 0])]).toEqual([0, 1, 2]);
  });

  it('is inverted by ranksOf', () => {
    expect([...ranksOf([1, 3, 4, 0, 2], 5)]).toEqual([3, 0, 4, 1, 2]);
  });
});
