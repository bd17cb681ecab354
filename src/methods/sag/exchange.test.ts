import { expect, it } from 'vitest';
import { found, layout, patchModel, white } from '../fixtures/patchy.ts';
import { exchangePatches } from './exchange.ts';
import { createPatchScorer } from './patch-scorer.ts';
import { patchSetOf } from './patch-set.ts';

/** p = the sum of the weights of the shown patches. */
const WEIGHTS = [0.4, 0.35, ...Array(14).fill(0.1)];
const additive = patchModel('additive', (shown) =>
  WEIGHTS.reduce((sum, weight, patch) => sum + weight * shown(patch), 0),
);
/** The last patches first, so that the heavy patches 0 and 1 come last. */
const ranking = WEIGHTS.map((_, patch) => 15 - patch);
const search = (start: number[], maxCalls = 2000) => {
  const scorer = createPatchScorer(additive, white, { ...layout, target: 0, maxCalls });
  return exchangePatches({ scorer, ranking, threshold: 0.72, width: 3 }, [patchSetOf(start)]);
};

it('exchangePatches finds a smaller set than an irreducible one', async () => {
  // Without any patch, the sum is below 0.72. So no deletion makes this set smaller.
  const sets = await search([0, 2, 3, 4, 5]);
  expect(found(sets).at(-1)).toBe('0,1');
  for (const { probability } of sets) expect(probability).toBeGreaterThanOrEqual(0.72);
});

it('exchangePatches finds nothing beside a smallest set, or without calls', async () => {
  expect(await search([0, 1])).toEqual([]);
  expect(await search([0, 2, 3, 4, 5], 10)).toEqual([]);
});
