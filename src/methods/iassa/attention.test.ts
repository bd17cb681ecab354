import { describe, expect, it } from 'vitest';
import { fakeInside } from '../../model/fixtures/inside.ts';
import { createFunctionModel } from '../../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import type { FeatureMap, Model } from '../../model/model.ts';
import { createRandom } from '../../tensor/random.ts';
import { extent } from '../../tensor/statistics.ts';
import { softmax, type Tensor, tensor } from '../../tensor/tensor.ts';
import { attentionLevels, cellMeans, createAttention } from './attention.ts';

const random = createRandom(2);
const level = (name: string, channels: number, height: number, width: number): FeatureMap => ({
  name,
  layout: 'channels-first',
  channels,
  height,
  width,
  prefix: 0,
});
const levels = [level('fine', 3, 6, 6), level('coarse', 5, 3, 3)];
const activations = new Map(
  levels.map(({ name, channels, height, width }) => [
    name,
    tensor(
      [1, channels, height, width],
      Float32Array.from({ length: channels * height * width }, () => random.normal() + 0.5),
    ),
  ]),
);
const input = tensor([1, 3, 24, 24]);

function fake(
  maps: readonly FeatureMap[],
  values: ReadonlyMap<string, Tensor> = activations,
): Model {
  return {
    ...createFunctionModel({
      name: 'fake',
      labels: ['any'],
      preprocessing: IMAGENET_PREPROCESSING,
      output: 'logits',
      classify: async ({ shape: [rows] }) => tensor([rows, 1]),
    }),
    inside: fakeInside({
      featureMaps: () => maps,
      activations: async (names) => names.flatMap((name) => values.get(name) ?? []),
    }),
  };
}

/**
 * A literal copy of eq. 9 and 10 of the paper: upsample, concatenate unit vectors, compute all dot
 * products, and apply one softmax.
 */
function literal(values: Float32Array, temperature: number): Float32Array {
  const cosine = (name: string, side: number, p: number, q: number): number => {
    const { shape, data } = activations.get(name) as Tensor;
    const small = shape[2];
    const cell = (i: number) =>
      Math.floor((Math.floor(i / side) * small) / side) * small +
      Math.floor(((i % side) * small) / side);
    const vector = (i: number) =>
      Array.from({ length: shape[1] }, (_, c) => data[c * small * small + cell(i)]);
    const [a, b] = [vector(p), vector(q)];
    const dot = (u: number[], v: number[]) => u.reduce((sum, x, i) => sum + x * v[i], 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  };
  return Float32Array.from({ length: 36 }, (_, p) => {
    const row = softmax(
      Array.from(
        { length: 36 },
        (_, q) => (cosine('fine', 6, p, q) + cosine('coarse', 6, p, q)) / 2 / temperature,
      ),
    );
    return row.reduce((sum, a, q) => sum + a * values[q], 0);
  });
}

describe('createAttention', () => {
  it('equals the literal affinity of the paper', async () => {
    const attention = await createAttention(fake(levels), input, 0.1);
    const cells = Float32Array.from({ length: 36 }, () => random.uniform());
    const map = tensor([6, 6], cells);
    const answer = attention?.apply(map).data ?? [];
    expect(answer).toBeAllClose(literal(cells, 0.1), { atol: 5e-6 });
  });

  it('does not change a constant map, even at the border', async () => {
    const attention = await createAttention(fake(levels), input, 0.1);
    const answer = attention?.apply(tensor([24, 24], new Float32Array(576).fill(3)));
    for (const value of answer?.data ?? []) expect(value).toBeCloseTo(3, 5);
  });

  it('separates two kinds of cells: each kind attends to its own kind', async () => {
    const kinds = new Float32Array(2 * 36);
    for (let i = 0; i < 36; i++) kinds[(i % 6 < 3 ? 0 : 36) + i] = 1;
    const model = fake(
      [level('kinds', 2, 6, 6)],
      new Map([['kinds', tensor([1, 2, 6, 6], kinds)]]),
    );
    const attention = await createAttention(model, input, 0.1);
    const spot = new Float32Array(36);
    spot[0] = 1; // seen in the left half only
    const answer = attention?.apply(tensor([6, 6], spot)).data ?? new Float32Array();
    expect(answer[2 + 6 * 4]).toBeCloseTo(1 / 18, 4); // anywhere else in the left half
    expect(answer[5]).toBeLessThan(1e-4);
    const [min, max] = extent(answer);
    // The double softmax of the released code leaves 1.4e-4 of the largest value.
    expect(max - min).toBeGreaterThan(0.05);
  });

  it('has a size that does not grow with the picture', async () => {
    const attention = await createAttention(fake(levels), tensor([1, 3, 224, 224]), 0.1);
    expect([attention?.height, attention?.width]).toEqual([6, 6]);
    expect(attention?.layers).toEqual(['fine', 'coarse']);
  });

  it('skips the prefix of token sequences', async () => {
    const grid = activations.get('coarse') as Tensor;
    const sequence = new Float32Array(11 * 5).fill(9); // two prefix tokens
    for (let cell = 0; cell < 9; cell++)
      for (let c = 0; c < 5; c++) sequence[(2 + cell) * 5 + c] = grid.data[c * 9 + cell];
    const tokens: FeatureMap = { ...level('tokens', 5, 3, 3), layout: 'tokens', prefix: 2 };
    const map = tensor(
      [3, 3],
      Float32Array.from({ length: 9 }, () => random.uniform()),
    );
    const asTokens = await createAttention(
      fake([tokens], new Map([['tokens', tensor([1, 11, 5], sequence)]])),
      input,
      0.2,
    );
    const asMap = await createAttention(fake([levels[1]]), input, 0.2);
    expect([...(asTokens?.apply(map).data ?? [])]).toEqual([...(asMap?.apply(map).data ?? [0])]);
  });

  it('is undefined for a black box', async () => {
    expect(await createAttention(fake([]), input, 0.1)).toBeUndefined();
    expect(await createAttention({} as Model, input, 0.1)).toBeUndefined();
  });
});

describe('attentionLevels', () => {
  it('takes the four coarsest of at most 28 × 28 cells', () => {
    const maps = [112, 56, 28, 14, 7, 4, 2, 1].map((side) => level(`m${side}`, 1, side, side));
    expect(attentionLevels(maps).map((map) => map.name)).toEqual(['m14', 'm7', 'm4', 'm2']);
    expect(attentionLevels(maps.slice(0, 5)).map((map) => map.name)).toEqual(['m28', 'm14', 'm7']);
  });
});

describe('cellMeans', () => {
  it('averages uneven cells', () => {
    const map = tensor([1, 5], Float32Array.of(1, 2, 3, 4, 10));
    expect([...cellMeans(map, 1, 2)]).toEqual([2, 7]);
  });
});
