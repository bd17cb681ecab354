import { describe, expect, it } from 'vitest';
import { all, found, layout, patchy, SETS, scorerOf, search, white } from '../fixtures/patchy.ts';
import { createPatchScorer } from './patch-scorer.ts';
import { allPatches, patchesOf, patchSetOf } from './patch-set.ts';
import { beamSearch, combinatorialSearch, minimizeSets } from './search.ts';

describe('the searches', () => {
  it('combinatorial: finds all minimal sufficient sets, and no others', async () => {
    expect(
      found(
        await combinatorialSearch({
          ...search,
          scorer: scorerOf(),
          ranking: all,
          pool: 16,
          maxSize: 4,
        }),
      ),
    ).toEqual(found(SETS.map((set) => ({ set: patchSetOf(set) }))));
    const few = await combinatorialSearch({
      ...search,
      scorer: scorerOf(),
      ranking: [0, 5, 10, 3],
      pool: 4,
    });
    expect(found(few)).toEqual(['0,5']);
  });

  it('beam: finds minimal sets, and stops at the size with enough sets', async () => {
    const sets = await beamSearch({
      ...search,
      scorer: scorerOf(),
      ranking: all,
      beamWidth: 3,
      successors: 16,
      maxRoots: 2,
    });
    expect(found(sets)).toEqual(['0,5', '3,12']);
    const wide = await beamSearch({
      ...search,
      scorer: scorerOf(),
      ranking: all,
      beamWidth: 50,
      successors: 16,
      maxSize: 3,
    });
    expect(found(wide)).toEqual(found(SETS.map((set) => ({ set: patchSetOf(set) }))));
  });

  it('beam: scores at most beamWidth × successors different sets per round', async () => {
    const rounds: number[] = [];
    const scorer = scorerOf();
    const counting = {
      ...scorer,
      score: (sets: readonly bigint[]) => {
        if (sets.length > 0) rounds.push(sets.length);
        expect(new Set(sets).size).toBe(sets.length);
        return scorer.score(sets);
      },
    };
    await beamSearch({
      ...search,
      threshold: 2,
      scorer: counting,
      ranking: all,
      beamWidth: 3,
      successors: 5,
      maxSize: 3,
    });
    expect(rounds[0]).toBe(5);
    expect(rounds.length).toBe(3);
    for (const size of rounds) expect(size).toBeLessThanOrEqual(15);
  });

  it('minimizing deletes all patches that are not needed', async () => {
    const scorer = scorerOf();
    const [minimal] = await minimizeSets(scorer, [{ set: allPatches(16), probability: 0.8 }], 0.72);
    const patches = patchesOf(minimal.set);
    expect(minimal.probability).toBeGreaterThanOrEqual(0.72);
    for (const patch of patches)
      expect(await scorer.probability(patches.filter((other) => other !== patch))).toBeLessThan(
        0.72,
      );
    // Several patches are deleted together where possible.
    expect(scorer.evaluated()).toBeLessThan(16 + 15 + 14 + 13);
  });

  it('minimizing with few remaining calls finishes at least the first set', async () => {
    const sets = [
      all.filter((patch) => patch !== 3),
      all.filter((patch) => patch !== 0 && patch !== 10),
    ].map((patches) => ({
      set: patchSetOf(patches),
      probability: 0.8,
    }));
    const whole = scorerOf();
    expect(found(await minimizeSets(whole, sets, 0.72))).toHaveLength(2);
    const scorer = createPatchScorer(patchy, white, { ...layout, target: 0, maxCalls: 15 * 16 });
    // 40 calls remain.
    await scorer.score(Array.from({ length: 200 }, (_, i) => allPatches(16) & ~BigInt(i + 1)));
    const kept = await minimizeSets(scorer, sets, 0.72);
    expect(kept).toHaveLength(1);
    expect(scorer.exhausted()).toBe(true);
    for (const { set } of kept) {
      const patches = patchesOf(set);
      for (const patch of patches)
        expect(
          await scorerOf().probability(patches.filter((other) => other !== patch)),
        ).toBeLessThan(0.72);
    }
  });
});
