import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { cellOrder, createCellGame, outcomeOf, rankOf, squareCells } from './cell-game.ts';
import { type IsShown, knownModel, ones, SIDE } from './fixtures/known-model.ts';
import { minimalPart } from './minimal-part.ts';
import { checkStatement, disjointSets } from './statements.ts';
import { mostTopParts, smallestTopPart } from './top-part.ts';

/** Scores sets by a condition, and counts the sets. */
function counting(holds: (set: readonly number[]) => boolean) {
  const counted = { sets: 0 };
  const score = async (sets: readonly (readonly number[])[]) => {
    counted.sets += sets.length;
    return sets.map((set) => (holds(set) ? 0 : -1));
  };
  return { score, counted };
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('smallestTopPart', () => {
  it('is at most a tenth larger than the smallest one, within its calls', async () => {
    for (const size of [1, 2, 5, 17, 40, 64, 99, 100]) {
      const { score, counted } = counting((set) => set.length >= size);
      const top = await smallestTopPart(score, range(100));
      expect(top?.length).toBeGreaterThanOrEqual(size);
      expect(top?.length).toBeLessThanOrEqual(Math.ceil(1.1 * size));
      expect(top).toEqual(range(top?.length ?? 0));
      expect(counted.sets).toBeLessThanOrEqual(mostTopParts(100));
    }
  });

  it('is null if no size holds, or if there are no parts', async () => {
    expect(await smallestTopPart(counting(() => false).score, range(9))).toBeNull();
    expect(await smallestTopPart(counting(() => true).score, [])).toBeNull();
  });
});

describe('minimalPart', () => {
  const needed = [2, 11, 17];
  const holds = (set: readonly number[]) => needed.every((part) => set.includes(part));

  it('keeps exactly the needed parts, in their order', async () => {
    const { score, counted } = counting(holds);
    const result = await minimalPart(score, range(20).reverse(), () => 500);
    expect(result).toEqual({ parts: [17, 11, 2], isMinimal: true });
    expect(counted.sets).toBeLessThan(40); // all single parts, cuts, and the last three
  });

  it('removes groups if the calls are few, and never exceeds them', async () => {
    for (const calls of [0, 3, 9, 15, 30]) {
      const { score, counted } = counting(holds);
      const { parts, isMinimal } = await minimalPart(score, range(20), () => calls - counted.sets);
      expect(counted.sets).toBeLessThanOrEqual(calls);
      expect(holds(parts)).toBe(true);
      if (isMinimal) expect(parts).toEqual(needed);
      if (calls >= 9) expect(parts.length).toBeLessThan(20);
    }
  });
});

describe('cells', () => {
  it('are numbered row by row, and ordered by the mean of the map', () => {
    const cells = squareCells(4, 6, 2);
    expect([...cells.labels]).toEqual([
      ...[0, 0, 0, 1, 1, 1],
      ...[0, 0, 0, 1, 1, 1],
      ...[2, 2, 2, 3, 3, 3],
      ...[2, 2, 2, 3, 3, 3],
    ]);
    const map = tensor(
      [4, 6],
      Float32Array.from(cells.labels, (cell) => [5, 8, 0, 8][cell]),
    );
    expect(cellOrder(map, cells)).toEqual([1, 3, 0, 2]);
  });

  it('keep a class by its rank, or by its probability', () => {
    const row = Float32Array.of(0.1, 0.4, 0.3, 0.2);
    expect([0, 1, 2, 3].map((index) => rankOf(row, index))).toEqual([3, 0, 1, 2]);
    expect(outcomeOf(row, 2, { rank: 0 }).behind).toBeCloseTo(0.1, 6);
    expect(outcomeOf(row, 2, { rank: 1 }).behind).toBeCloseTo(-0.1, 6);
    expect(outcomeOf(row, 0, { rank: 3 }).behind).toBe(Number.NEGATIVE_INFINITY);
    expect(outcomeOf(row, 2, { level: 0.25 })).toEqual({
      probability: expect.closeTo(0.3, 6),
      behind: expect.closeTo(-0.05, 6),
    });
  });
});

describe('sets of cells', () => {
  const gameOf = (score: (shown: IsShown) => number) =>
    createCellGame(
      { model: knownModel(score), input: ones, target: { index: 0 } },
      squareCells(SIDE, SIDE, SIDE),
      tensor([1, 3, 1, 1]),
    );

  it('without a common cell: one per reason, and no more than asked for', async () => {
    const reasons = [[3, 4], [20], [40, 50, 60]];
    const any = (shown: IsShown) => (reasons.some((set) => set.every(shown)) ? 0.9 : 0.1);
    const order = range(SIDE ** 2);
    const sets = await disjointSets(gameOf(any), order, 9, 200);
    expect(sets.map(({ cells }) => cells)).toEqual(reasons);
    expect(sets.every(({ isMinimal, shown }) => isMinimal && shown > 0.89)).toBe(true);
    expect(await disjointSets(gameOf(any), order, 2, 200)).toHaveLength(2);
  });

  it('a statement that is true for no top part has none', async () => {
    const game = gameOf(() => 0.9);
    expect(await checkStatement(game, range(SIDE ** 2), 'necessary', 60)).toBeNull();
    expect(await checkStatement(game, range(SIDE ** 2), 'contrastive', 60)).toBeNull();
  });
});
