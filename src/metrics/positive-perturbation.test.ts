import { describe, expect, it } from 'vitest';
import type { Tensor } from '../tensor/tensor.ts';
import { regionModel } from './fixtures/region-model.ts';
import {
  context,
  H,
  inverted,
  mapOf,
  model,
  perfect,
  R,
  randomMap,
  region,
  W,
} from './fixtures/region-scene.ts';
import { negativePerturbation } from './negative-perturbation.ts';
import { positivePerturbation } from './positive-perturbation.ts';

const probability = { measure: 'probability', baseline: 'zero' } as const;

describe('positive perturbation', () => {
  it('falls to 0 after two tenths for the perfect map', async () => {
    const { value, curve } = await positivePerturbation.score({
      ...context,
      map: perfect,
      preset: 'iia-2023-del',
    });
    // At one tenth, 12 of the 20 pixels of the region are hidden. The area is a trapezoid sum over
    // ten points.
    const y = [1, 1 - 12 / R, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(value).toBeCloseTo(0.1 * (y[0] / 2 + y[1]), 6);
    expect(curve?.x).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(curve?.y).toBeAllClose(y);
  });

  it('counts how often the class keeps the highest score', async () => {
    // A probability of 0.4 is not the highest of two.
    const { value } = await positivePerturbation.score({ ...context, map: perfect });
    expect(value).toBeCloseTo(0.05, 12);
  });

  it('lies between the scores of the perfect and the inverted map', async () => {
    const score = async (map: Tensor) =>
      (await positivePerturbation.score({ ...context, map, options: probability })).value;
    const [best, worst] = [Number(await score(perfect)), Number(await score(inverted))];
    for (const seed of [1, 2, 3]) {
      expect(await score(randomMap(seed))).toBeGreaterThan(best);
      expect(await score(randomMap(seed))).toBeLessThan(worst);
    }
  });

  it('has the same curve as negative perturbation of the negated map', async () => {
    const map = randomMap(4);
    const negated = mapOf(map.data.map((value) => -value));
    const [positive, negative] = await Promise.all([
      positivePerturbation.score({ ...context, map, options: probability }),
      negativePerturbation.score({ ...context, map: negated, options: probability }),
    ]);
    expect(positive.curve).toEqual(negative.curve);
  });

  it('scores the target class', async () => {
    const target = { index: 1 };
    const { curve } = await positivePerturbation.score({ ...context, target, map: perfect });
    expect(curve?.y).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('hides pixels by zeros of the input or by black', async () => {
    const shifted = regionModel(H, W, region);
    const { preprocessing } = model;
    // Black is 0.25 for this model.
    const grey = { ...shifted, preprocessing: { ...preprocessing, mean: [-0.25] } };
    const { curve } = await positivePerturbation.score({
      ...context,
      model: grey,
      map: perfect,
      preset: 'chefer-2021',
      options: { measure: 'probability' },
    });
    expect(curve?.y[2]).toBeCloseTo(0.25, 6);
  });
});
