import { describe, expect, it } from 'vitest';
import { createRandom } from '../../tensor/random.ts';
import { diverseSubset } from './diverse-subset.ts';
import { overlapOf, patchSetOf } from './patch-set.ts';
import type { SufficientSet } from './search.ts';

const random = createRandom(4);
const candidates = (count: number, patches: number, size: number): SufficientSet[] =>
  Array.from({ length: count }, () => ({
    set: patchSetOf(Array.from({ length: size }, () => random.integer(patches))),
    probability: random.uniform(),
  }));

/** Tries every subset. */
function bruteForce(
  sets: readonly SufficientSet[],
  maxOverlap: number,
): [size: number, probability: number] {
  let best: [number, number] = [0, 0];
  for (let bits = 0; bits < 2 ** sets.length; bits++) {
    const chosen = sets.filter((_, i) => (bits >> i) & 1);
    if (chosen.some((a, i) => chosen.some((b, j) => i < j && overlapOf(a.set, b.set) > maxOverlap)))
      continue;
    const probability = chosen.reduce((sum, each) => sum + each.probability, 0);
    if (chosen.length > best[0] || (chosen.length === best[0] && probability > best[1]))
      best = [chosen.length, probability];
  }
  return best;
}

describe('diverseSubset', () => {
  it('is the largest choice, and the most probable one of several', () => {
    for (let round = 0; round < 40; round++) {
      const sets = candidates(9, 12, 3);
      const { sets: chosen, exact } = diverseSubset(sets, round % 3);
      const [size, probability] = bruteForce(sets, round % 3);
      expect(exact).toBe(true);
      expect(chosen.length).toBe(size);
      expect(chosen.reduce((sum, each) => sum + each.probability, 0)).toBeCloseTo(probability, 9);
      chosen.forEach((each, i) =>
        expect(each.probability).toBeLessThanOrEqual(chosen[Math.max(0, i - 1)].probability),
      );
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

  it('is greedy above the exact size, and reaches its bound', () => {
    const sets = candidates(70, 49, 4);
    const { sets: chosen, exact } = diverseSubset(sets, 0);
    expect(exact).toBe(false);
    const conflicts = sets.map(
      (a) => sets.filter((b) => a !== b && overlapOf(a.set, b.set) > 0).length,
    );
    expect(chosen.length).toBeGreaterThanOrEqual(
      70 / (1 + conflicts.reduce((sum, d) => sum + d, 0) / 70),
    );
    chosen.forEach((a, i) =>
      chosen.slice(i + 1).forEach((b) => expect(overlapOf(a.set, b.set)).toBe(0)),
    );
  });
});
