import { describe, expect, it } from 'vitest';
import type { Tensor } from '../tensor/tensor.ts';
import { context, inverted, perfect, R, randomMap } from './fixtures/region-scene.ts';
import { negativePerturbation } from './negative-perturbation.ts';

describe('negative perturbation', () => {
  it('stays at 1 until the last tenth for the perfect map', async () => {
    const { value, curve } = await negativePerturbation.score({
      ...context,
      map: perfect,
      preset: 'iia-2023-ins',
    });
    // At nine tenths, 108 of 120 pixels are hidden. 8 of them belong to the 20 pixels of the
    // region.
    const y = [1, 1, 1, 1, 1, 1, 1, 1, 1, 12 / R];
    expect(value).toBeCloseTo(0.1 * (8.5 + y[9] / 2), 6);
    expect(curve?.y).toBeAllClose(y);
  });

  it('counts how often the class keeps the highest score', async () => {
    // A probability of 0.6 is the highest of two.
    const { value } = await negativePerturbation.score({ ...context, map: perfect });
    expect(value).toBeCloseTo(0.9, 12);
  });

  it('lies between the scores of the perfect and the inverted map', async () => {
    const options = { measure: 'probability', baseline: 'zero' } as const;
    const score = async (map: Tensor) =>
      (await negativePerturbation.score({ ...context, map, options })).value;
    const [best, worst] = [Number(await score(perfect)), Number(await score(inverted))];
    for (const seed of [1, 2, 3]) {
      expect(await score(randomMap(seed))).toBeLessThan(best);
      expect(await score(randomMap(seed))).toBeGreaterThan(worst);
    }
  });
});
