import { describe, expect, it } from 'vitest';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { tensor } from '../tensor/tensor.ts';
import { checkSufficiency } from './sufficiency.ts';

/**
 * Side of the pictures. They consist of ones, and the baseline consists of zeros. In a grid of 8 ×
 * 8 cells, each cell is one pixel.
 */
const SIDE = 8;
const input = tensor([1, 3, SIDE, SIDE], new Float32Array(3 * SIDE ** 2).fill(1));

/**
 * A model in which `score` computes the probability of class 0 from the pixels of the first
 * channel.
 */
const modelOf = (score: (shown: (pixel: number) => boolean) => number) =>
  createFunctionModel({
    name: 'known',
    labels: ['it', 'other'],
    preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
    output: 'probabilities',
    classify: async ({ shape: [n = 0], data }) =>
      tensor(
        [n, 2],
        Float32Array.from({ length: 2 * n }, (_, i) => {
          const first = 3 * SIDE ** 2 * Math.floor(i / 2);
          const p = score((pixel) => (data[first + pixel] ?? 0) > 0.5);
          return i % 2 === 0 ? p : 1 - p;
        }),
      ),
  });

/** A map that ranks the pixels of `top` first, in that order. */
const mapOf = (...top: number[]) => {
  const map = tensor([SIDE, SIDE]);
  top.forEach((pixel, i) => {
    map.data[pixel] = 100 - i;
  });
  return map;
};
const check = (
  score: Parameters<typeof modelOf>[0],
  map: ReturnType<typeof mapOf>,
  maxCalls?: number,
) =>
  checkSufficiency(
    { model: modelOf(score), input, map, target: { index: 0, label: 'it' } },
    { grid: SIDE, baseline: 'zero', ...(maxCalls !== undefined && { maxCalls }) },
  );

describe('checkSufficiency', () => {
  it('finds both pixels of an AND sufficient, and one of them necessary', async () => {
    const both = (shown: (pixel: number) => boolean) => (shown(9) && shown(30) ? 0.9 : 0.2);
    const { whole, sufficient, necessary } = await check(both, mapOf(9, 30));
    expect(whole).toBeCloseTo(0.9, 6);
    expect(sufficient).toMatchObject({ cells: [9, 30], share: 2 / 64, isMinimal: true });
    expect(sufficient?.shown).toBeCloseTo(0.9, 6);
    expect(sufficient?.hidden).toBeCloseTo(0.2, 6);
    expect(necessary).toMatchObject({ cells: [9], isMinimal: true });
    expect(necessary?.hidden).toBeCloseTo(0.2, 6);
  });

  it('finds one pixel of an OR sufficient, and both of them necessary', async () => {
    const either = (shown: (pixel: number) => boolean) => (shown(9) || shown(30) ? 0.9 : 0.2);
    const { sufficient, necessary } = await check(either, mapOf(30, 9));
    expect(sufficient?.cells).toEqual([30]);
    expect(necessary?.cells).toEqual([30, 9]);
    expect(necessary?.shown).toBeCloseTo(0.9, 6);
  });

  it('leaves out cells that the model does not need, even if the map ranks them high', async () => {
    const both = (shown: (pixel: number) => boolean) => (shown(9) && shown(30) ? 0.9 : 0.2);
    const { sufficient, modelCalls } = await check(both, mapOf(1, 9, 2, 3, 4, 30, 5), 200);
    expect(sufficient).toMatchObject({ cells: [9, 30], isMinimal: true });
    expect(modelCalls).toBeLessThanOrEqual(200);
  });

  it('does not exceed its budget, and reports that a set may not be minimal', async () => {
    const many = (shown: (pixel: number) => boolean) =>
      [...Array(20).keys()].every((i) => shown(3 * i)) ? 0.9 : 0.2;
    const top = [...Array(60).keys()];
    const { sufficient, modelCalls } = await check(many, mapOf(...top), 60);
    expect(modelCalls).toBeLessThanOrEqual(60);
    expect(sufficient?.isMinimal).toBe(false);
    expect(sufficient?.shown).toBeCloseTo(0.9, 6);
  });

  it('returns all cells as sufficient if any hidden cell changes the class', async () => {
    const whole = (shown: (pixel: number) => boolean) =>
      [...Array(SIDE ** 2).keys()].every(shown) ? 0.9 : 0.2;
    const { sufficient, necessary } = await check(whole, mapOf(0));
    expect(sufficient?.share).toBe(1);
    expect(necessary?.cells).toEqual([0]);
  });

  it('returns no necessary set for a model that ignores the picture', async () => {
    const { sufficient, necessary } = await check(() => 0.9, mapOf(0));
    expect(sufficient?.cells).toEqual([0]);
    expect(necessary).toBeNull();
  });

  it('refuses a class that is not the most probable one', async () => {
    await expect(check(() => 0.1, mapOf(0))).rejects.toThrow(
      '"it" is not the most probable class of the picture',
    );
  });
});
