import { describe, expect, it } from 'vitest';
import { explain, explainAll } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { latinHypercube } from './shared/latin-hypercube.ts';
import { sobolDesign, totalIndices } from './sobol.ts';

const scoresOf = (design: Float32Array, cells: number, f: (m: Float32Array) => number) =>
  Float64Array.from({ length: design.length / cells }, (_, n) =>
    f(design.subarray(n * cells, (n + 1) * cells)),
  );

describe('latinHypercube', () => {
  it('has one point in every interval of every dimension', () => {
    const points = latinHypercube(16, 5, createRandom(1));
    for (let d = 0; d < 5; d++) {
      const intervals = Array.from({ length: 16 }, (_, i) => Math.floor(16 * points[i * 5 + d]));
      expect(intervals.sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i));
    }
  });
});

describe('totalIndices', () => {
  it('are the shares of the terms of a sum: a_i² / Σ a²', () => {
    const a = [1, 2, 0, 3];
    const design = sobolDesign(4000, 4, createRandom(2));
    const { total, standardErrors } = totalIndices(
      scoresOf(design, 4, (m) => a.reduce((sum, each, i) => sum + each * m[i], 5)),
      4,
    );
    a.forEach((each, i) => expect(Math.abs(total[i] - each ** 2 / 14)).toBeLessThan(0.03));
    expect(total[2]).toBe(0);
    expect(standardErrors[3]).toBeGreaterThan(0.003);
    expect(standardErrors[3]).toBeLessThan(0.02);
  });

  it('count the joint effects of the cells in a product', () => {
    // f = Π (1 + c_i (m_i - 1/2)), V_i = c_i² / 12: ST_i = V_i Π_{j≠i} (1 + V_j) / (Π (1 +
    // V_j) - 1)
    const c = [2, 1.5, 1];
    const v = c.map((each) => each ** 2 / 12);
    const all = v.reduce((product, each) => product * (1 + each), 1);
    const design = sobolDesign(8000, 3, createRandom(3));
    const { total, standardErrors } = totalIndices(
      scoresOf(design, 3, (m) =>
        c.reduce((product, each, i) => product * (1 + each * (m[i] - 0.5)), 1),
      ),
      3,
    );
    v.forEach((each, i) =>
      expect(Math.abs(total[i] - (each * all) / (1 + each) / (all - 1))).toBeLessThan(
        4 * standardErrors[i] + 0.01,
      ),
    );
    expect(total.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(1.02);
  });

  it('are 0 for a constant', () => {
    expect([...totalIndices(new Float64Array(12).fill(0.3), 2).total]).toEqual([0, 0]);
  });
});

const SIDE = 16;
/**
 * The probability of class 0 is 0.1 + 0.6 · a pixel of the first quarter + 0.2 · a pixel of the
 * last quarter.
 */
const quarters = createFunctionModel({
  name: 'quarters',
  labels: ['yes', 'no'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async (batch: Tensor) =>
    tensor(
      [batch.shape[0], 2],
      Float32Array.from({ length: 2 * batch.shape[0] }, (_, k) => {
        const at = (y: number, x: number) => batch.data[(k >> 1) * 3 * SIDE * SIDE + y * SIDE + x];
        const p = 0.1 + 0.6 * at(3, 3) + 0.2 * at(12, 12);
        return k % 2 === 0 ? p : 1 - p;
      }),
    ),
});
const ones = tensor([1, 3, SIDE, SIDE], new Float32Array(3 * SIDE * SIDE).fill(1));

describe('sobol', () => {
  const run = (options = {}, extra = {}) =>
    explain(quarters, ones, {
      method: 'sobol',
      target: 0,
      options: { s: 2, design: 400, ...options },
      ...extra,
    });

  it('gives each cell its share of the variance, and reports calls and errors', async () => {
    const { manifest, standardError, map } = await run();
    const indices = manifest.extras.indices as number[];
    [0.9, 0, 0, 0.1].forEach((share, i) => expect(Math.abs(indices[i] - share)).toBeLessThan(0.1));
    expect(manifest.modelCalls.forward).toBe(400 * 6);
    expect(map.data[0]).toBeGreaterThan(map.data[SIDE - 1]);
    expect(standardError?.data.every((value) => value < 0.1)).toBe(true);
  });

  it('explains all classes from the same masks', async () => {
    const [a, b] = await explainAll(quarters, ones, {
      method: 'sobol',
      target: 'top:2',
      options: { s: 2, design: 10 },
    });
    expect(a.manifest.modelCalls.forward).toBe(60);
    expect(a.map.data).toBeAllClose(b.map.data, { atol: 5e-5 });
  });

  it('depends on the seed, not on the batch size, and stops when a map is accepted', async () => {
    const base = [...(await run({ design: 16 })).map.data];
    expect([...(await run({ design: 16 }, { batchSize: 7 })).map.data]).toEqual(base);
    expect([...(await run({ design: 16 }, { seed: 1 })).map.data]).not.toEqual(base);
    const stopped = await run({ design: 80 }, { onMap: () => true });
    expect(stopped.manifest.extras.rows).toBe(10);
    expect(stopped.manifest.modelCalls.forward).toBe(60);
  });
});
