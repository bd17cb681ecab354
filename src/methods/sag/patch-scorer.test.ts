import { describe, expect, it } from 'vitest';
import { normalizeColour } from '../../model/input/preprocessing.ts';
import { counted, layout, patchy, preprocessing, scorerOf, white } from '../fixtures/patchy.ts';
import { createPatchScorer } from './patch-scorer.ts';

describe('the scorer', () => {
  it('evaluates each set only once, and returns the probability of any set', async () => {
    const scorer = scorerOf();
    counted.calls = 0;
    expect((await scorer.score([1n, 2n, 1n, 33n])).map((p) => Math.round(1000 * p))).toEqual([
      200, 0, 200, 800,
    ]);
    expect(await scorer.probability([0, 5])).toBeCloseTo(0.8, 6);
    expect(counted.calls).toBe(3);
    expect(scorer.evaluated()).toBe(3);
    await expect(scorer.probability([16])).rejects.toThrow(
      'patch 16 does not exist: expected whole numbers from 0 to 15',
    );
    expect(() =>
      createPatchScorer(patchy, white, { ...layout, grid: [20, 20], target: 0 }),
    ).toThrow(/20×20 patches does not fit/);
  });

  it('uses the given baseline', async () => {
    const grey = normalizeColour([128, 128, 128], preprocessing).data[0];
    const scorer = createPatchScorer(patchy, white, { ...layout, baseline: 'grey', target: 0 });
    expect(await scorer.probability([])).toBeCloseTo(0.8 * grey ** 2, 5);
  });
});
