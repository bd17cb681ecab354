import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { createFunctionModel, type FunctionModelOptions } from './function-model.ts';
import { IMAGENET_PREPROCESSING } from './input/preprocessing.ts';

/** Logits: the sum of each picture, and 0. */
async function sums(batch: Tensor): Promise<Tensor> {
  const size = batch.data.length / batch.shape[0];
  return tensor(
    [batch.shape[0], 2],
    Float32Array.from({ length: 2 * batch.shape[0] }, (_, i) =>
      i % 2
        ? 0
        : batch.data.subarray((i / 2) * size, (i / 2 + 1) * size).reduce((a, b) => a + b, 0),
    ),
  );
}

const make = (extra: Partial<FunctionModelOptions> = {}) =>
  createFunctionModel({
    name: 'sums',
    labels: ['sum', 'none'],
    preprocessing: { ...IMAGENET_PREPROCESSING, size: [2, 2] },
    output: 'logits',
    classify: sums,
    ...extra,
  });

const batch = tensor(
  [3, 3, 2, 2],
  Float32Array.from({ length: 36 }, (_, i) => i / 36),
);
const zero = tensor([1, 3, 1, 1]);

describe('createFunctionModel', () => {
  it('turns logits into softmax probabilities', async () => {
    const logits = await make().classify(batch, { score: 'logit' });
    const probabilities = await make().classify(batch);
    for (let i = 0; i < 3; i++)
      expect(probabilities.data[2 * i]).toBeCloseTo(1 / (1 + Math.exp(-logits.data[2 * i])), 6);
  });

  it('returns the same for every batch size, in as many calls as needed', async () => {
    const whole = await make().classify(batch);
    let calls = 0;
    const counting = make({
      classify: (part) => {
        calls++;
        return sums(part);
      },
    });
    expect([...(await counting.classify(batch, { batchSize: 2 })).data]).toEqual([...whole.data]);
    expect(calls).toBe(2);
  });

  it('scores perturbed pictures for the targets, in their order', async () => {
    const input = tensor([1, 3, 2, 2], new Float32Array(12).fill(0.5));
    const { shape, data } = await make().perturb({
      input,
      baseline: zero,
      perturbation: {
        kind: 'windows',
        windows: Int32Array.of(0, 0, 1, 2, 0, 0, 0, 0),
        keep: 'outside',
      },
      targets: [1, 0],
      score: 'logit',
    });
    expect(shape).toEqual([2, 2]);
    expect([...data]).toEqual([0, 3, 0, 6]);
  });

  it.each([[['cat']], [['not cat', 'cat']]])(
    'with one score and labels %j has a class for a low score',
    async (labels) => {
      const x = 0.3;
      const classify = async ({ shape: [n] }: Tensor) =>
        tensor([n, 1], new Float32Array(n).fill(x));
      const p = 1 / (1 + Math.exp(-x));
      const logits = make({ labels, classify });
      expect(logits.labels).toEqual(['not cat', 'cat']);
      const rowsOf = (row: number[]) => [...row, ...row, ...row];
      expect((await logits.classify(batch, { score: 'logit' })).data).toBeAllClose(rowsOf([-x, x]));
      expect((await logits.classify(batch)).data).toBeAllClose(rowsOf([1 - p, p]));
      const probabilities = make({ labels, classify, output: 'probabilities' });
      expect((await probabilities.classify(batch)).data).toBeAllClose(rowsOf([1 - x, x]));
      const { data } = await probabilities.perturb({
        input: tensor([1, 3, 2, 2]),
        baseline: zero,
        perturbation: { kind: 'windows', windows: Int32Array.of(0, 0, 1, 2), keep: 'outside' },
        targets: [1, 0],
      });
      expect(data).toBeAllClose([x, 1 - x]);
    },
  );

  it('halves a batch that the function has no memory for', async () => {
    const sizes: number[] = [];
    const model = make({
      classify: async (x) => {
        sizes.push(x.shape[0]);
        if (x.shape[0] > 1) throw new RangeError('Array buffer allocation failed');
        return sums(x);
      },
    });
    expect([...(await model.classify(batch)).data]).toEqual([
      ...(await make().classify(batch)).data,
    ]);
    expect(sizes).toEqual([3, 2, 1, 1, 1]);
    const never = make({
      classify: () => Promise.reject(new RangeError('Array buffer allocation failed')),
    });
    await expect(never.classify(batch)).rejects.toMatchObject({ code: 'out-of-memory' });
  });

  it('refuses NaN, wrong shapes, unknown logits, bad batch sizes and a fired signal', async () => {
    await expect(
      make({
        classify: async (x) =>
          tensor([x.shape[0], 2], new Float32Array(2 * x.shape[0]).fill(Number.NaN)),
      }).classify(batch),
    ).rejects.toThrow(/NaN or infinite/);
    await expect(make({ classify: async () => tensor([1, 2]) }).classify(batch)).rejects.toThrow(
      /returned \[1,2\] for 3 pictures/,
    );
    await expect(
      make({ output: 'probabilities' }).classify(batch, { score: 'logit' }),
    ).rejects.toMatchObject({ code: 'unsupported' });
    await expect(make().classify(batch, { batchSize: 0 })).rejects.toThrow(/batch size 0/);
    await expect(make().classify(batch, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('reports progress after each batch', async () => {
    const seen: number[] = [];
    await make().classify(batch, {
      batchSize: 1,
      onProgress: (done, total) => seen.push(done / total),
    });
    expect(seen).toEqual([1 / 3, 2 / 3, 1]);
  });
});
