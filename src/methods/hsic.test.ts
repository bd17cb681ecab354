import { describe, expect, it } from 'vitest';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { explain } from '../node.ts';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { binaryMasks, hsic } from './hsic.ts';
import { hsicScores } from './shared/dependence.ts';

/** trace(K H L H) / (n - 1)², computed with the four full matrices. */
function literalHsic(masks: Float32Array, scores: Float64Array, cells: number): number[] {
  const n = scores.length;
  const sorted = scores.map(Math.abs).toSorted();
  const sigma =
    n % 2 === 1
      ? (sorted[(n - 1) / 2] ?? 0)
      : ((sorted[n / 2 - 1] ?? 0) + (sorted[n / 2] ?? 0)) / 2;
  const matrix = (entry: (a: number, b: number) => number) =>
    Array.from({ length: n }, (_, a) => Array.from({ length: n }, (_, b) => entry(a, b)));
  const times = (x: number[][], y: number[][]) =>
    matrix((a, b) => (x[a] ?? []).reduce((sum, value, k) => sum + value * (y[k]?.[b] ?? 0), 0));
  const centring = matrix((a, b) => (a === b ? 1 : 0) - 1 / n);
  const score = (a: number) => scores[a] ?? Number.NaN;
  const likeness = matrix((a, b) => Math.exp(-((score(a) - score(b)) ** 2) / (2 * sigma ** 2)));
  return Array.from({ length: cells }, (_, d) => {
    const same = matrix((a, b) => (masks[a * cells + d] === masks[b * cells + d] ? 1 : 0));
    const product = times(times(same, centring), times(likeness, centring));
    return product.reduce((sum, row, a) => sum + (row[a] ?? 0), 0) / (n - 1) ** 2;
  });
}

describe('binaryMasks', () => {
  it('shows each cell in half of the masks, and depends only on the seed', () => {
    const masks = binaryMasks(50, 9, createRandom(2));
    for (let d = 0; d < 9; d++)
      expect(masks.filter((_, i) => i % 9 === d).reduce((sum, x) => sum + x, 0)).toBe(25);
    expect(binaryMasks(50, 9, createRandom(2))).toEqual(masks);
    expect(binaryMasks(50, 9, createRandom(3))).not.toEqual(masks);
  });
});

describe('hsicScores', () => {
  it('equals the trace of the four matrices', () => {
    const random = createRandom(5);
    const masks = binaryMasks(21, 4, random);
    const scores = Float64Array.from(
      { length: 21 },
      (_, n) => 0.2 + (masks[4 * n] ?? 0) * 0.5 + random.uniform() / 10,
    );
    expect(hsicScores(masks, scores, 4)).toBeAllClose(literalHsic(masks, scores, 4), {
      atol: 1e-12,
    });
  });

  it('equals a closed form if the score depends on one cell', () => {
    const n = 40;
    const masks = binaryMasks(n, 3, createRandom(1));
    const scores = Float64Array.from({ length: n }, (_, a) => 1 + (masks[3 * a + 1] ?? 0));
    // Half of the scores are 1, half are 2: σ = 1.5, and zᵀ L z = n² / 2 · (1 - exp(-1 / (2 σ²))).
    const expected = (n ** 2 * (1 - Math.exp(-1 / (2 * 1.5 ** 2)))) / (4 * (n - 1) ** 2);
    const [first = 1, second, third = 1] = hsicScores(masks, scores, 3);
    expect(second).toBeCloseTo(expected, 10);
    expect(Math.max(first, third)).toBeLessThan(expected / 4);
  });

  it('is 0 for a score that never changes', () => {
    const masks = binaryMasks(10, 3, createRandom(1));
    expect([...hsicScores(masks, new Float64Array(10).fill(0.3), 3)]).toBeAllClose([0, 0, 0], {
      atol: 1e-12,
    });
  });
});

describe('hsic', () => {
  it('is highest at the cell that determines the score', async () => {
    const model = createFunctionModel({
      name: 'corner',
      labels: ['corner', 'other'],
      preprocessing: { ...IMAGENET_PREPROCESSING, size: [32, 32] },
      output: 'probabilities',
      // Class 0 is the pixel at row 28, column 4.
      classify: async ({ shape: [n = 0], data }) =>
        tensor(
          [n, 2],
          Float32Array.from({ length: 2 * n }, (_, i) => {
            const score = (data[3072 * Math.floor(i / 2) + 28 * 32 + 4] ?? 0) / 2;
            return i % 2 === 0 ? score : 1 - score;
          }),
        ),
    });
    const input = tensor([1, 3, 32, 32], new Float32Array(3072).fill(1));
    const { map, manifest } = await explain(model, input, {
      method: hsic,
      options: { s: 4, N: 100 },
      target: 0,
    });
    const peak = map.data.indexOf(Math.max(...map.data));
    expect([Math.floor(peak / 32) >= 24, peak % 32 < 8]).toEqual([true, true]);
    expect(manifest.modelCalls.forward).toBe(100);
  });
});
