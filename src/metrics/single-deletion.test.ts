import { describe, expect, it } from 'vitest';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { spearman } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { singleDeletion } from './single-deletion.ts';

const SIDE = 10;
const PIXELS = SIDE * SIDE;
const random = createRandom(4);
const weights = Float64Array.from({ length: PIXELS }, () => random.uniform() - 0.4);
const seen: number[] = [];

/** A linear model. The probability of class 0 is 1/2 + the weighted sum of the pixels / 200. */
const model = createFunctionModel({
  name: 'linear',
  labels: ['yes', 'no'],
  preprocessing: {
    ...IMAGENET_PREPROCESSING,
    size: [SIDE, SIDE],
    mean: [0],
    std: [1],
    colour: 'grey',
  },
  output: 'probabilities',
  classify: async ({ shape: [count = 0], data }) => {
    const scores = new Float32Array(2 * count);
    for (let n = 0; n < count; n++) {
      const sum = weights.reduce((total, weight, i) => total + weight * data[n * PIXELS + i], 0);
      scores.set([0.5 + sum / 200, 0.5 - sum / 200], 2 * n);
    }
    seen.push(count);
    return tensor([count, 2], scores);
  },
});
const ones = tensor([1, 1, SIDE, SIDE], new Float32Array(PIXELS).fill(1));
const mapOf = (values: ArrayLike<number>): Tensor =>
  tensor([SIDE, SIDE], Float32Array.from(values));
const score = async (map: Tensor, options = {}) => {
  const request = { model, input: ones, target: { index: 0 }, map, options };
  return (await singleDeletion.score(request)).value as number;
};

/** The cell, in a grid of 4 × 4 cells, that contains the center of a pixel. */
const cellOf = (i: number) =>
  4 * Math.floor((Math.floor(i / SIDE) + 0.5) / 2.5) + Math.floor(((i % SIDE) + 0.5) / 2.5);

describe('single deletion', () => {
  it('is 1 for the contributions of a linear model, and -1 for their negative', async () => {
    expect(await score(mapOf(weights))).toBeCloseTo(1, 9);
    expect(await score(mapOf(weights.map((weight) => 7 * weight + 1e-3)))).toBeGreaterThan(0.9);
    expect(await score(mapOf(weights.map((weight) => -weight)))).toBeCloseTo(-1, 9);
  });

  it('is the rank correlation between sums and drops of the cells for any map', async () => {
    const values = Float64Array.from({ length: PIXELS }, () => random.uniform());
    const [sums, drops] = [new Float64Array(16), new Float64Array(16)];
    for (let i = 0; i < PIXELS; i++) {
      sums[cellOf(i)] += values[i];
      drops[cellOf(i)] += weights[i];
    }
    expect(await score(mapOf(values))).toBeCloseTo(spearman(sums, drops), 6);
  });

  it('is 0 for a map of zeros, and costs one call per cell', async () => {
    seen.length = 0;
    expect(await score(mapOf(new Float32Array(PIXELS)), { grid: 3 })).toBe(0);
    expect(seen.reduce((total, count) => total + count, 0)).toBe(9);
  });

  it('compares probabilities by default, and logits as in the paper', async () => {
    const request = { model, input: ones, target: { index: 0 }, map: mapOf(weights) };
    expect((await singleDeletion.score(request)).preset).toBe('probability');
    // This model has no logits.
    const logits = singleDeletion.score({ ...request, preset: 'hesse-2024' });
    await expect(logits).rejects.toThrow('its logits are unknown');
  });
});
