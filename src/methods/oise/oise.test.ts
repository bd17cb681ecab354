import { describe, expect, it } from 'vitest';
import { explain } from '../../explain.ts';
import { createFunctionModel } from '../../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../model/input/preprocessing.ts';
import { createRandom } from '../../tensor/random.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import {
  haveReference,
  recorded,
  recordedCases,
  recordedInput,
  referenceModel,
} from '../fixtures/reference.ts';
import { riseGrids } from '../rise.ts';
import { weightedMaskSum } from '../shared/grid-sums.ts';
import { type Chain, drawTogether, moveChain, onProbabilities, totalVariation } from './chain.ts';
import { postprocess } from './oise.ts';

const SIDE = 16;
/**
 * The probability of class 0 grows from 0.2 to 0.8 with the visible share of the upper left
 * quarter.
 */
const corner = createFunctionModel({
  name: 'corner',
  labels: ['corner', 'rest'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [SIDE, SIDE] },
  output: 'probabilities',
  classify: async (batch: Tensor) => {
    const size = batch.data.length / batch.shape[0];
    const scores = new Float32Array(2 * batch.shape[0]);
    for (let n = 0; n < batch.shape[0]; n++) {
      let seen = 0;
      for (let y = 0; y < SIDE / 2; y++)
        for (let x = 0; x < SIDE / 2; x++)
          seen += batch.data[n * size + y * SIDE + x] / (SIDE / 2) ** 2;
      scores[2 * n] = 0.2 + 0.6 * seen ** 2;
      scores[2 * n + 1] = 1 - scores[2 * n];
    }
    return tensor([batch.shape[0], 2], scores);
  },
});
const ones = tensor([1, 3, SIDE, SIDE], new Float32Array(3 * SIDE * SIDE).fill(1));
const run = (options: Record<string, unknown>, extra = {}) =>
  explain(corner, ones, {
    method: 'oise',
    target: 0,
    options: { s: 4, N: 400, chains: 8, ...options },
    ...extra,
  });

/**
 * Draws cells in the order of the authors' code: first the cells that are on, then those that are
 * off.
 */
function drawAsReleased({ cells }: Chain, score: number, uniform: () => number): Uint8Array {
  const on = new Uint8Array(cells.length);
  for (const before of [true, false]) {
    cells.forEach((cell, i) => {
      if (cell > 0 === before && uniform() > 1 - (before ? score : 1 - score)) on[i] = 1;
    });
  }
  return on;
}

describe('moveChain', () => {
  it('keeps a cell on with probability p, switches one on with 1 - p, and dims new cells', () => {
    const chain: Chain = { cells: Float32Array.of(0, 1, 1, 0), score: 0.5 };
    expect([...onProbabilities(chain.cells, 0.6)].map((q) => q.toFixed(6))).toEqual([
      '0.400000',
      '0.600000',
      '0.600000',
      '0.400000',
    ]);
    const expected = moveChain(chain, 0.6, 0.02, [1, 1, 0, 0]);
    const partly = 1 - 0.02 * 0.1;
    expect(chain.cells).toBeAllClose([partly, 1, 0, 0], { atol: 5e-7 });
    expect(expected).toBeAllClose([0.4 * partly, 0.6, 0.6, 0.4 * partly], { atol: 5e-7 });
    expect(chain.score).toBe(0.6);
  });
});

describe('drawTogether', () => {
  const chances = [0.05, 0.5, 0.5, 0.93].map((q) => Float32Array.of(q, 1 - q, 0.3));
  const random = createRandom(2);
  const draws = Array.from({ length: 10_000 }, () => drawTogether(chances, random));
  const share = (holds: (on: Uint8Array[]) => number) =>
    draws.reduce((sum, on) => sum + holds(on), 0) / draws.length;

  it('switches each cell on with its probability, independently of the other cells', () => {
    chances.forEach((q, k) => {
      q.forEach((value, cell) =>
        expect(Math.abs(share((on) => on[k][cell]) - value)).toBeLessThan(0.02),
      );
      expect(Math.abs(share((on) => on[k][0] * on[k][1]) - q[0] * q[1])).toBeLessThan(0.02);
      expect(
        Math.abs(share((on) => on[k][0] * on[(k + 1) % 4][2]) - q[0] * chances[(k + 1) % 4][2]),
      ).toBeLessThan(0.02);
    });
  });

  it('switches a cell on in as many chains as its probabilities sum to, rounded up or down', () => {
    for (const cell of [0, 1, 2]) {
      const sum = chances.reduce((total, q) => total + q[cell], 0);
      const farthest = draws.reduce(
        (most, on) =>
          Math.max(most, Math.abs(on.reduce((total, each) => total + each[cell], 0) - sum)),
        0,
      );
      expect(farthest).toBeLessThan(1);
    }
  });
});

describe('totalVariation and postprocess', () => {
  it('equal their formulas', () => {
    expect(totalVariation([1, 0, 0, 1], 2)).toBe(1);
    expect(totalVariation([1, 1, 0, 0], 2)).toBe(0.5);
    const map = tensor([2, 2], Float32Array.of(0, 1, 2, 5));
    expect([...postprocess(map, 'none').data]).toEqual([0, 1, 2, 5]);
    expect([...postprocess(map, 'notebook').data]).toEqual([0, 0, 0, 1]);
    expect(postprocess(map, 'script').data[2]).toBeCloseTo((2 - 1.92) / (5 - 1.92), 6);
  });
});

describe('oise', () => {
  it('finds the region of the score, counts its calls, and reports its error', async () => {
    const { map, manifest, standardError } = await run({ N: 4000 });
    const mean = (top: number, left: number) => {
      let sum = 0;
      for (let y = 1; y < 7; y++)
        for (let x = 1; x < 7; x++) sum += map.data[(top + y) * SIDE + left + x] / 36;
      return sum;
    };
    expect(mean(0, 0)).toBeGreaterThan(mean(8, 8) + 0.03);
    expect(manifest.modelCalls.forward).toBe(4000);
    expect(manifest.extras).toEqual({ chains: 8, steps: 500 });
    expect(standardError?.data.every((value) => value > 0 && value < 0.1)).toBe(true);
  });

  it('gives nearly the same map for many short chains as for one long chain', async () => {
    const long = await run({ N: 30_000, chains: 1 });
    const wide = await run({ N: 30_000, chains: 100 }, { seed: 3 });
    const error = Math.max(...long.map.data.map((value, i) => Math.abs(value - wide.map.data[i])));
    expect(error).toBeLessThan(0.04);
    expect(long.standardError).toBeUndefined();
  });

  it('reports a standard error that equals the spread of maps over seeds', async () => {
    const maps = await Promise.all(
      Array.from({ length: 16 }, (_, seed) => run({ N: 400, chains: 20 }, { seed })),
    );
    let [claimed, spread] = [0, 0];
    for (let i = 0; i < SIDE * SIDE; i++) {
      const values = maps.map((each) => each.map.data[i]);
      const mean = values.reduce((a, b) => a + b, 0) / values.length;
      spread += Math.sqrt(
        values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1),
      );
      claimed +=
        maps.reduce((sum, each) => sum + (each.standardError?.data[i] ?? 0), 0) / maps.length;
    }
    expect(claimed / spread).toBeGreaterThan(0.75);
    expect(claimed / spread).toBeLessThan(1.25);
  });

  it('depends on the seed, not on the batch size, and stops when a map is accepted', async () => {
    const base = (await run({})).map.data;
    for (const batchSize of [1, 7])
      expect((await run({}, { batchSize })).map.data).toBeAllClose(base, { atol: 5e-7 });
    expect([...(await run({}, { seed: 1 })).map.data]).not.toEqual([...base]);
    const stopped = await run({}, { onMap: ({ calls }: { calls: number }) => calls >= 100 });
    expect(stopped.manifest.modelCalls.forward).toBeLessThan(150);
  });

  it('shows more of the picture with the total-variation term', async () => {
    const mean = (map: Tensor) => map.data.reduce((sum, value) => sum + value, 0) / map.data.length;
    expect(mean((await run({ totalVariation: 1 })).map)).toBeGreaterThan(
      mean((await run({})).map) + 0.02,
    );
  });
});

// The chain is chaotic. So the test moves it with the recorded scores, and compares our scores with
// them for the first steps only.
describe.skipIf(!haveReference('oise'))(
  "the recorded run of the authors' code (needs ../shared)",
  () => {
    it.each(recordedCases('oise').map((each) => [each.case, each] as const))(
      '%s: reproduces the chain, its map and its first scores',
      async (_, each) => {
        const [uniforms, shifts, scores, map] = ['uniforms', 'shifts', 'scores', 'map'].map(
          (name) => recorded('oise', each.arrays[name]),
        );
        let at = 0;
        const uniform = () => uniforms.data[at++];
        const chain: Chain = {
          cells: Float32Array.from({ length: 64 }, () => (uniform() > 0.7 ? 1 : 0)),
          score: 0,
        };
        const count = scores.data.length;
        const grids = tensor([count + 1, 8, 8]);
        grids.data.set(chain.cells);
        for (let i = 0; i < count; i++) {
          moveChain(chain, scores.data[i], 0.02, drawAsReleased(chain, scores.data[i], uniform));
          grids.data.set(chain.cells, 64 * (i + 1));
        }
        expect(at).toBe(uniforms.data.length);
        const masks = riseGrids(grids, Int32Array.from(shifts.data), 224, 224);
        const weights = new Float64Array(count + 1).fill(1);
        weights[0] = 0; // the first mask is shown, not counted
        const ours = weightedMaskSum(masks, weights, 224, 224);
        const largest = map.data.reduce((most, value) => Math.max(most, value), 0);
        map.data.forEach((value, i) =>
          expect(Math.abs(value - ours[i])).toBeLessThan(1e-3 * largest),
        );
        const model = await referenceModel(each.model);
        const first = riseGrids(
          tensor([16, 8, 8], grids.data.slice(0, 16 * 64)),
          Int32Array.from(shifts.data.slice(0, 32)),
          224,
          224,
        );
        const { data } = await model.perturb({
          input: recordedInput(each),
          baseline: tensor([1, 3, 1, 1]),
          perturbation: first,
          targets: [each.target],
        });
        data.forEach((value, i) => expect(Math.abs(value - scores.data[i])).toBeLessThan(1e-3));
      },
      120_000,
    );
  },
);
