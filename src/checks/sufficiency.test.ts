import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { type IsShown, knownModel, ones, SIDE } from './fixtures/known-model.ts';
import { checkSufficiency, type SufficiencyOptions } from './sufficiency.ts';

/** A map that ranks the pixels of `top` first, in that order. */
const mapOf = (...top: number[]) => {
  const map = tensor([SIDE, SIDE]);
  top.forEach((pixel, i) => {
    map.data[pixel] = 100 - i;
  });
  return map;
};
/** In the grid of 8 × 8 cells, each cell is one pixel. */
const check = (
  score: (shown: IsShown) => number,
  map: ReturnType<typeof mapOf>,
  options: SufficiencyOptions = {},
) =>
  checkSufficiency(
    { model: knownModel(score), input: ones, map, target: { index: 0, label: 'it' } },
    { grid: SIDE, baseline: 'zero', ...options },
  );

const and = (shown: IsShown) => (shown(9) && shown(30) ? 0.9 : 0.2);
const or = (shown: IsShown) => (shown(9) || shown(30) ? 0.9 : 0.2);

describe('checkSufficiency', () => {
  it('finds both pixels of an AND sufficient, and one of them necessary', async () => {
    const { whole, grid, baseline, ...found } = await check(and, mapOf(9, 30));
    expect({ grid, baseline }).toEqual({ grid: SIDE, baseline: 'zero' });
    expect(whole).toBeCloseTo(0.9, 6);
    expect(found.sufficient).toMatchObject({ cells: [9, 30], share: 2 / 64, isMinimal: true });
    expect(found.sufficient?.shown).toBeCloseTo(0.9, 6);
    expect(found.sufficient?.hidden).toBeCloseTo(0.2, 6);
    expect(found.necessary).toMatchObject({ cells: [9], isMinimal: true });
    expect(found.necessary?.shown).toBeCloseTo(0.2, 6);
    expect(found.necessary?.hidden).toBeCloseTo(0.2, 6);
    expect(found).not.toHaveProperty('contrastive');
  });

  it('finds one pixel of an OR sufficient, and both of them necessary', async () => {
    const { sufficient, necessary } = await check(or, mapOf(30, 9));
    expect(sufficient).toMatchObject({ cells: [30], isMinimal: true });
    expect(necessary).toMatchObject({ cells: [30, 9], isMinimal: true });
    expect(necessary?.shown).toBeCloseTo(0.9, 6);
    expect(necessary?.hidden).toBeCloseTo(0.2, 6);
  });

  it.each([
    ['AND', and],
    ['OR', or],
  ])('finds both pixels of an %s contrastive, and checks only this statement', async (_, score) => {
    const statements = ['contrastive'] as const;
    const found = await check(score, mapOf(1, 9, 2, 30), { statements });
    expect(found.contrastive).toMatchObject({ cells: [9, 30], isMinimal: true });
    expect(found.contrastive?.shown).toBeCloseTo(0.9, 6);
    expect(found.contrastive?.hidden).toBeCloseTo(0.2, 6);
    expect(Object.keys(found)).toEqual(['grid', 'baseline', 'whole', 'contrastive', 'modelCalls']);
  });

  it('finds the largest terms of a sum sufficient, and 4 of 8 necessary', async () => {
    // p = 0.1 · (number of shown pixels among 8). With 5 of them there is a tie, in which the class
    // is still a most probable one.
    const eight = [3, 8, 12, 20, 33, 41, 50, 63];
    const sum = (shown: IsShown) => 0.1 * eight.filter(shown).length;
    const { sufficient, necessary } = await check(sum, mapOf(...eight));
    expect(sufficient).toMatchObject({ cells: eight.slice(0, 5), isMinimal: true });
    expect(necessary).toMatchObject({ cells: eight.slice(0, 4), isMinimal: true });
  });

  it('leaves out cells that the model does not need, even if the map ranks them high', async () => {
    const { sufficient, modelCalls } = await check(and, mapOf(1, 9, 2, 3, 4, 30, 5));
    expect(sufficient).toMatchObject({ cells: [9, 30], isMinimal: true });
    expect(modelCalls).toBeLessThanOrEqual(120);
  });

  it('does not exceed its budget, and reports that a set may not be minimal', async () => {
    const many = (shown: IsShown) => ([...Array(20).keys()].every((i) => shown(3 * i)) ? 0.9 : 0.2);
    const top = [...Array(60).keys()];
    const { sufficient, modelCalls } = await check(many, mapOf(...top), { maxCalls: 30 });
    expect(modelCalls).toBeLessThanOrEqual(60);
    expect(sufficient?.isMinimal).toBe(false);
    expect(sufficient?.shown).toBeCloseTo(0.9, 6);
    const enough = await check(many, mapOf(...top), { maxCalls: 300 });
    expect(enough.sufficient).toMatchObject({ isMinimal: true, share: 20 / 64 });
  });

  it('returns all cells as sufficient if any hidden cell changes the class', async () => {
    const every = (shown: IsShown) => ([...Array(SIDE ** 2).keys()].every(shown) ? 0.9 : 0.2);
    const { sufficient, necessary } = await check(every, mapOf(0), { maxCalls: 100 });
    expect(sufficient).toMatchObject({ share: 1, isMinimal: true });
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
