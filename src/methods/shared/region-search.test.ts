import { describe, expect, it } from 'vitest';
import { createFunctionModel } from '../../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import { tensor } from '../../tensor/tensor.ts';
import { prefixValues, regionGame, regionValues, type SearchOptions } from './region-search.ts';

/** The score is Σ k x_k / 10 over the pixels x_1, x_2, …. */
const model = createFunctionModel({
  name: 'sum',
  labels: ['sum'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [2, 2] },
  output: 'probabilities',
  classify: async ({ shape: [n = 0], data }) =>
    tensor(
      [n, 1],
      Float32Array.from({ length: n }, (_, i) =>
        data.subarray(12 * i, 12 * i + 4).reduce((sum, x, k) => sum + ((k + 1) * x) / 10, 0),
      ),
    ),
});
const options: SearchOptions = {
  segmentation: 'slic',
  segments: 4,
  shown: 'zero',
  hidden: 'zero',
  insertion: 1,
  deletion: 1,
  values: 'missing',
};
const game = (weights: Partial<SearchOptions> = {}) =>
  regionGame(
    {
      model,
      input: tensor([1, 3, 2, 2], new Float32Array(12).fill(1)),
      options: { ...options, ...weights },
    },
    { labels: Int32Array.from([0, 1, 2, 2]), count: 3, width: 2, height: 2 },
    1,
  );

describe('regionGame', () => {
  it('adds the score of the set and the drop without the set', async () => {
    const sets = [Uint8Array.of(1, 0, 0), Uint8Array.of(0, 1, 1)];
    // The regions add 0.1, 0.2 and 0.7 to the score. F is p(S) + 1 - p(V \ S).
    expect(await game().values(sets)).toBeAllClose([0.1 + 0.1, 0.9 + 0.9], { atol: 1e-6 });
    expect(await game({ deletion: 0 }).values(sets)).toBeAllClose([0.1, 0.9], { atol: 1e-6 });
    expect(await game({ insertion: 0, deletion: 2 }).values(sets)).toBeAllClose([0.2, 1.8], {
      atol: 1e-6,
    });
  });

  it('values the first regions of an order', async () => {
    const prefixes = await prefixValues(game({ deletion: 0 }), [2, 0, 1]);
    expect(prefixes).toBeAllClose([0, 0.7, 0.8, 1], { atol: 1e-6 });
  });
});

describe('regionValues', () => {
  it('falls along the order, by the share of the score that was still missing', () => {
    const values = regionValues([2, 0, 1], [0, 0.6, 0.5, 0.8], 'missing');
    // Region 2 comes first. Before region 0 and before region 1, 0.6 of 0.8 is reached.
    const expected = [0.25 + 2 / 3000, 0.25 + 1 / 3000, 1 + 1 / 1000].map((x) => x / 1.001);
    expect(values).toBeAllClose(expected, { atol: 1e-12 });
  });

  it('falls in equal steps by rank', () => {
    expect(regionValues([2, 0, 1], [0, 0, 0, 0], 'rank')).toBeAllClose([2 / 3, 1 / 3, 1], {
      atol: 1e-12,
    });
  });

  it('gives finite values for a model that ignores the picture', () => {
    expect([...regionValues([0, 1], [1, 1, 1], 'missing')].every(Number.isFinite)).toBe(true);
  });
});
