import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { createFunctionModel } from '../../model/function-model.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { all, GRID, layout, preprocessing, SIDE, white } from '../fixtures/patchy.ts';
import { methods } from '../index.ts';
import { patchMeans } from './patch-means.ts';
import type { Sag } from './schema.ts';

describe('the ranking of patches', () => {
  /** A model with the same score for every picture except the black one. */
  const flat = createFunctionModel({
    name: 'flat',
    labels: ['yes', 'no'],
    preprocessing,
    output: 'probabilities',
    classify: async ({ data, shape: [count] }: Tensor) => {
      const size = data.length / count;
      const seen = (n: number) =>
        data.subarray(n * size, (n + 1) * size).some((value) => value > 0);
      return tensor(
        [count, 2],
        Float32Array.from({ length: 2 * count }, (_, i) => (seen(i >> 1) ? 0.5 : 0.1)),
      );
    },
  });

  it.each(['shown', 'occlusion'])(
    '%s: keeps patches of equal value in rising order',
    async (ranking) => {
      const options = { ranking, grid: GRID, patches: 'hard' };
      const { manifest } = await explain(flat, white, {
        method: methods.get('sag'),
        target: 0,
        options,
      });
      expect((manifest.extras.sag as Sag).ranking).toEqual(all);
    },
  );
});

describe('patchMeans', () => {
  it('are the means of the tiles for hard patches, and weighted means for soft patches', () => {
    const map = tensor(
      [SIDE, SIDE],
      Float32Array.from({ length: SIDE * SIDE }, (_, i) => i % SIDE),
    );
    expect([...patchMeans(map, layout)].slice(0, 4)).toEqual([1.5, 5.5, 9.5, 13.5]);
    const soft = patchMeans(map, { ...layout, patches: 'soft' });
    expect(soft[1]).toBeCloseTo(5, 5); // the bump is symmetric about 15 / 3
    expect(soft[0] + soft[3]).toBeCloseTo(15, 5);
  });
});
