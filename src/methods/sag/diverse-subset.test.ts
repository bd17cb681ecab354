import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { diverseSubset } from './diverse-subset.ts';
import { overlapOf, patchSetOf, sizeOfSet } from './patch-set.ts';
import type { SufficientSet } from './search.ts';

const random = createRandom(4);
const candidates = (count: number, patches: number, size: number): SufficientSet[] =>
  Array.from({ length: count }, () => ({
    set: patchSetOf(Array.from({ length: size }, () => random.integer(patches))),
    probability: random.uniform(),
  }));

/** The size of the smallest set. */
const least = (sets: readonly SufficientSet[]) =>
  Math.min(...sets.map(({ set }) => sizeOfSet(set)));

/** Tries every subset that has one of the smallest sets. */
function bruteForce(
  sets: readonly SufficientSet[],
  maxOverlap: number,
): [size: number, probability: number] {
  let best: [number, number] = [0, 0];
  for (let bits = 0; bits < 2 ** sets.length; bits++) {
    const chosen = sets.filter((_, i) => (bits >> i) & 1);
    if (chosen.some((a, i) => chosen.some((b, j) => i < j && overlapOf(a.set, b.set) > maxOverlap)))
      continue;
    if (chosen.length === 0 || least(chosen) > least(sets)) continue;
    const probability = chosen.reduce((sum, each) => sum + each.probability, 0);
    if (chosen.length > best[0] || (chosen.length === best[0] && probability > best[1]))
      best = [chosen.length, probability];
  }
  return best;
}

describe('diverseSubset', () => {
  it('is the largest choice with a smallest set, and the most probable one of several', () => {
    for (let round = 0; round < 40; round++) {
      const sets = candidates(9, 12, 3);
      const { sets: chosen, exact } = diverseSubset(sets, round % 3);
      const [size, probability] = bruteForce(sets, round % 3);
      expect(exact).toBe(true);
      expect(chosen.length).toBe(size);
      expect(chosen.reduce((sum, each) => sum + each.probability, 0)).toBeCloseTo(probability, 9);
      expect(sizeOfSet(chosen[0].set)).toBe(least(sets));
      const [, ...others] = chosen.map((each) => [sizeOfSet(each.set), -each.probability]);
      expect(others).toEqual([...others].sort((a, b) => a[0] - b[0] || a[1] - b[1]));
    }
  });

  it('is fast for many equally large choices', () => {
    const pairs = Array.from({ length: 32 }, (_, i) => [
      { set: patchSetOf([3 * i, 3 * i + 1]), probability: 0.9 },
      { set: patchSetOf([3 * i, 3 * i + 2]), probability: 0.5 + i / 100 },
    ]).flat();
    const { sets } = diverseSubset(pairs, 0);
    expect(sets).toHaveLength(32);
    expect(sets.every(({ probability }) => probability === 0.9)).toBe(true);
  });

  it('is greedy above the exact size, and reaches its bound beside the smallest set', () => {
    const sets = candidates(70, 49, 4);
    const { sets: chosen, exact } = diverseSubset(sets, 0);
    expect(exact).toBe(false);
    const first = chosen[0];
    const rest = sets.filter((each) => each !== first && overlapOf(each.set, first.set) === 0);
    const conflicts = rest.map(
      (a) => rest.filter((b) => a !== b && overlapOf(a.set, b.set) > 0).length,
    );
    expect(chosen.length).toBeGreaterThanOrEqual(
      1 + rest.length / (1 + conflicts.reduce((sum, d) => sum + d, 0) / rest.length),
    );
    chosen.forEach((a, i) =>
      chosen.slice(i + 1).forEach((b) => expect(overlapOf(a.set, b.set)).toBe(0)),
    );
  });
});
