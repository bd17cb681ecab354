import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { createOnnxModel } from '../model/onnx-model.ts';
import { renderGrid, renderMask } from '../model/render-perturbation.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import { decodeNpy } from '../tensor/npy.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import type { PartialMap } from './method.ts';
import { riseGrids, riseMap, riseMasks } from './rise.ts';

const SIDE = 28;
const shared = new URL('../../../shared/', import.meta.url);

/** The probability of class 0 is the mean of the pixels in the upper left quarter. */
const corner = createFunctionModel({
  name: 'corner',
  labels: ['corner', 'rest'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async (batch: Tensor) => {
    const size = batch.data.length / batch.shape[0];
    const scores = new Float32Array(2 * batch.shape[0]);
    for (let n = 0; n < batch.shape[0]; n++) {
      for (let y = 0; y < SIDE / 2; y++)
        for (let x = 0; x < SIDE / 2; x++)
          scores[2 * n] += batch.data[n * size + y * SIDE + x] / (SIDE / 2) ** 2;
      scores[2 * n + 1] = 1 - scores[2 * n];
    }
    return tensor([batch.shape[0], 2], scores);
  },
});
const ones = tensor([1, 3, SIDE, SIDE], new Float32Array(3 * SIDE * SIDE).fill(1));
const explainCorner = (options: Record<string, unknown>, extra = {}) =>
  explain(corner, ones, { method: 'rise', target: 0, options, ...extra });

const quarterMean = (map: Tensor, top: number, left: number) => {
  let sum = 0;
  for (let y = top; y < top + SIDE / 2; y++)
    for (let x = left; x < left + SIDE / 2; x++) sum += map.data[y * SIDE + x];
  return sum / (SIDE / 2) ** 2;
};

describe('riseMasks', () => {
  it('keeps cells with probability p1 and shifts masks by less than one cell', () => {
    const masks = riseMasks(500, 5, 0.3, SIDE, SIDE, createRandom(1));
    const kept = masks.grids.data.reduce((a, b) => a + b, 0) / masks.grids.data.length;
    expect(kept).toBeCloseTo(0.3, 1);
    // A cell has ceil(28 / 5) = 6 pixels.
    expect(new Set(masks.shifts)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    for (let n = 0; n < 5; n++)
      for (const value of renderMask(masks, n, SIDE, SIDE)) expect(value).toBeGreaterThanOrEqual(0);
  });
});

describe('rise', () => {
  it('finds the region of the score, with the values that theory predicts', async () => {
    const { map, standardError, manifest } = await explainCorner({ N: 4000, s: 4 });
    const [inside, outside] = [quarterMean(map, 0, 0), quarterMean(map, 14, 14)];
    // Far from the region, mask and score are independent: S = E[f] E[M] / p1 = 0.5. Inside the
    // region, their covariance is added.
    expect(outside).toBeCloseTo(0.5, 1);
    expect(inside).toBeGreaterThan(outside + 0.05);
    expect(manifest.modelCalls).toEqual({ forward: 4000, backward: 0 });
    expect(manifest.standardError).toBeGreaterThan(0);
    expect(standardError?.shape).toEqual([SIDE, SIDE]);
  });

  it('reports a standard error that equals the spread of maps over seeds', async () => {
    const maps = await Promise.all(
      Array.from({ length: 24 }, (_, seed) => explainCorner({ N: 400, s: 4 }, { seed })),
    );
    const claimed = maps.reduce((sum, e) => sum + (e.manifest.standardError ?? 0), 0) / maps.length;
    let spread = 0;
    for (let i = 0; i < SIDE * SIDE; i++) {
      const values = maps.map((e) => e.map.data[i]);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      spread +=
        Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)) /
        (SIDE * SIDE);
    }
    expect(claimed / spread).toBeGreaterThan(0.85);
    expect(claimed / spread).toBeLessThan(1.15);
  });

  it('depends on the seed, and not on the batch size', async () => {
    const base = (await explainCorner({ N: 120, s: 4 }, { batchSize: 64 })).map.data;
    for (const batchSize of [1, 7])
      expect((await explainCorner({ N: 120, s: 4 }, { batchSize })).map.data).toBeAllClose(base, {
        atol: 5e-7,
      });
    expect([...(await explainCorner({ N: 120, s: 4 }, { seed: 1 })).map.data]).not.toEqual([
      ...base,
    ]);
  });

  it('offers maps, and stops when a map is accepted or has converged', async () => {
    const partial: PartialMap[] = [];
    const whole = await explainCorner(
      { N: 400, s: 4 },
      { onMap: (p: PartialMap) => void partial.push(p) },
    );
    expect(partial.map((p) => p.calls)).toEqual(Array.from({ length: 40 }, (_, i) => 10 * (i + 1)));
    expect(partial[0]?.standardError).toBeUndefined();
    expect(partial.at(-1)?.standardError?.data).toEqual(whole.standardError?.data);
    const content = await explainCorner(
      { N: 400, s: 4 },
      { onMap: (p: PartialMap) => p.calls >= 50 },
    );
    expect(content.manifest.modelCalls.forward).toBe(50);
    expect(content.manifest.extras).toEqual({ masks: 50, stopped: 'content' });
    expect((await explainCorner({ N: 40, s: 4 })).manifest.extras).toEqual({
      masks: 40,
      stopped: 'masks',
    });
    const converged = await explainCorner({ N: 20000, s: 4, tolerance: 0.05 });
    expect(converged.manifest.extras).toMatchObject({ stopped: 'converged' });
    expect(converged.manifest.modelCalls.forward).toBeLessThan(20000);
    expect(converged.manifest.standardError).toBeLessThan(0.05);
  });

  it('explains several classes from one set of masks', async () => {
    const { explainAll } = await import('../explain.ts');
    const both = await explainAll(corner, ones, {
      method: 'rise',
      target: 'top:2',
      options: { N: 200, s: 4 },
    });
    expect(both.map((e) => e.manifest.modelCalls.forward)).toEqual([200, 200]);
    const alone = await explainCorner({ N: 200, s: 4 });
    expect([...(both.find((e) => e.target.index === 0) as typeof alone).map.data]).toEqual([
      ...alone.map.data,
    ]);
  });
});

describe.skipIf(!existsSync(shared))(
  "the recorded run of the authors' code (needs ../shared)",
  () => {
    const read = (path: string) => decodeNpy(readFileSync(new URL(path, shared)));
    const recorded = () =>
      riseGrids(
        read('reference/rise/grid.npy'),
        Int32Array.from(read('reference/rise/shift.npy').data),
        224,
        224,
      );

    it('has the same masks', () => {
      const expected = read('reference/rise/masks_first3.npy').data;
      for (let n = 0; n < 3; n++)
        renderGrid(recorded(), n, 224, 224).forEach((v, i) =>
          expect(Math.abs(v - expected[n * 50176 + i])).toBeLessThan(1e-6),
        );
    });

    it('has the same scores and maps', async () => {
      const card = JSON.parse(readFileSync(new URL('models/mobilenet_v2.json', shared), 'utf8'));
      const model = await createOnnxModel(
        {
          name: 'mobilenet_v2',
          bytes: readFileSync(new URL('models/mobilenet_v2.onnx', shared)),
          labels: card.labels,
          preprocessing: card.input,
        },
        await createNodeRuntime(),
      );
      const { cases } = JSON.parse(
        readFileSync(new URL('reference/rise/cases.json', shared), 'utf8'),
      );
      for (const { case: name, target, arrays } of cases.slice(0, 2)) {
        const input = read(`reference/inputs/mobilenet_v2_${name}_input.npy`);
        const { data: scores } = await model.perturb({
          input,
          baseline: tensor([1, 3, 1, 1]),
          targets: [target],
          perturbation: recorded(),
        });
        read(`reference/rise/${arrays.scores.file}`).data.forEach((v, i) =>
          expect(Math.abs(v - scores[i])).toBeLessThan(1e-4),
        );
        const map = riseMap(recorded(), scores, 0.5, 224, 224);
        read(`reference/rise/${arrays.map.file}`).data.forEach((v, i) =>
          expect(Math.abs(v * arrays.map.scale - map.data[i])).toBeLessThan(1e-4),
        );
      }
      await model.dispose();
    }, 300_000);
  },
);
