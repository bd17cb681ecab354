import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { averageDrop } from './average-drop.ts';
import { averageDropInDeletion } from './average-drop-in-deletion.ts';
import { completeness } from './completeness.ts';
import { rectangle, regionModel } from './fixtures/region-model.ts';
import { increaseInConfidence } from './increase-in-confidence.ts';
import { infidelity } from './infidelity.ts';
import { muFidelity } from './mu-fidelity.ts';
import { negativePerturbation } from './negative-perturbation.ts';
import { positivePerturbation } from './positive-perturbation.ts';

const [H, W] = [12, 10];
const region = rectangle(H, W, [2, 3, 6, 8]); // 20 of 120 pixels
const R = 20;
const model = regionModel(H, W, region);
const input = tensor([1, 1, H, W], new Float32Array(H * W).fill(1));
const mapOf = (values: ArrayLike<number>) => tensor([H, W], Float32Array.from(values));
const perfect = mapOf(region);
const inverted = mapOf(region.map((value) => 1 - value));
const context = { model, input, target: { index: 0 } };

function randomMap(seed: number): Tensor {
  const random = createRandom(seed);
  return mapOf(Array.from({ length: H * W }, () => random.uniform()));
}

describe('positive and negative perturbation', () => {
  const probability = { measure: 'probability', baseline: 'zero' };
  const area = (y: readonly number[]) =>
    0.1 * (y.reduce((sum, v) => sum + v, 0) - y[0] / 2 - y[9] / 2);

  it('of the perfect map: gone after two tenths, there until the last', async () => {
    const fallen = [1, 1 - 12 / R, 0, 0, 0, 0, 0, 0, 0, 0];
    const kept = [1, 1, 1, 1, 1, 1, 1, 1, 1, 12 / R];
    const del = await positivePerturbation.score({
      ...context,
      map: perfect,
      preset: 'iia-2023-del',
    });
    expect(del.value).toBeCloseTo(area(fallen), 6);
    expect(del.curve?.x).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(
      (await negativePerturbation.score({ ...context, map: perfect, preset: 'iia-2023-ins' }))
        .value,
    ).toBeCloseTo(area(kept), 6);
    // 0.4 is no majority, 0.6 is.
    expect((await positivePerturbation.score({ ...context, map: perfect })).value).toBeCloseTo(
      0.05,
      12,
    );
    expect((await negativePerturbation.score({ ...context, map: perfect })).value).toBeCloseTo(
      0.9,
      12,
    );
  });

  it('are bounded by the perfect and the inverted map', async () => {
    for (const [metric, sign] of [
      [positivePerturbation, -1],
      [negativePerturbation, 1],
    ] as const) {
      const score = async (map: Tensor) =>
        sign * ((await metric.score({ ...context, map, options: probability })).value as number);
      const [best, worst] = [await score(perfect), await score(inverted)];
      for (const seed of [1, 2, 3]) {
        expect(await score(randomMap(seed))).toBeLessThan(best);
        expect(await score(randomMap(seed))).toBeGreaterThan(worst);
      }
    }
  });

  it('turn into each other when the map does', async () => {
    const map = randomMap(4);
    const negated = mapOf(map.data.map((value) => -value));
    const positive = await positivePerturbation.score({ ...context, map, options: probability });
    const negative = await negativePerturbation.score({
      ...context,
      map: negated,
      options: probability,
    });
    expect(positive.curve).toEqual(negative.curve);
  });

  it('accept the class that is asked for and no other as right', async () => {
    const other = await positivePerturbation.score({
      ...context,
      target: { index: 1 },
      map: perfect,
    });
    expect(other.curve?.y).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('hide by zeros of the input or by black', async () => {
    const shifted = regionModel(H, W, region);
    const grey = { ...shifted, preprocessing: { ...shifted.preprocessing, mean: [-0.25] } }; // black is 0.25 of the input
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

describe('average drop, increase in confidence, average drop in deletion', () => {
  const three = async (map: Tensor, picture = input) =>
    Promise.all(
      [averageDrop, increaseInConfidence, averageDropInDeletion].map(
        async (m) => (await m.score({ ...context, input: picture, map })).value as number,
      ),
    );

  it('have their closed forms for the perfect, the inverted and the constant map', async () => {
    expect(await three(perfect)).toEqual([0, 0, 1]);
    expect(await three(inverted)).toEqual([1, 0, 0]);
    expect(await three(mapOf(new Float32Array(H * W).fill(3)))).toEqual([1, 0, 0]);
  });

  it('multiply the picture by the map between 0 and 1', async () => {
    const map = mapOf(region.map((value, i) => (value ? 5 : i === 0 ? 9 : 1))); // the region at half the range
    const [drop, increase, deletion] = await three(map);
    expect(drop).toBeCloseTo(0.5, 6);
    expect(increase).toBe(0);
    expect(deletion).toBeCloseTo(0.5, 6);
  });

  it('see an increase where the map hides what speaks against the class', async () => {
    let seen = 0;
    const against = region.map((value) => (value && seen++ < 10 ? 1 : 0));
    const picture = tensor(
      [1, 1, H, W],
      Float32Array.from(region, (value, i) => (against[i] ? -0.5 : value)),
    );
    const map = mapOf(region.map((value, i) => value - against[i]));
    expect((await three(map, picture)).slice(0, 2)).toEqual([0, 1]);
  });

  it('have no value where the class has no probability', async () => {
    const nothing = tensor([1, 1, H, W]);
    for (const metric of [averageDrop, increaseInConfidence, averageDropInDeletion]) {
      expect(await metric.score({ ...context, input: nothing, map: perfect })).toMatchObject({
        value: null,
      });
    }
  });
});

describe('completeness', () => {
  const options = { baseline: 'zero', score: 'probability' };
  const shares = (factor: number) => mapOf(Array.from(region, (value) => (factor * value) / R));

  it('is 0 for a map that adds up to the score, else the share it misses', async () => {
    expect((await completeness.score({ ...context, map: shares(1), options })).value).toBeCloseTo(
      0,
      6,
    );
    expect(
      (await completeness.score({ ...context, map: shares(1.25), options })).value,
    ).toBeCloseTo(0.25, 6);
    const half = tensor([1, 1, H, W], new Float32Array(H * W).fill(0.5));
    expect(
      (await completeness.score({ ...context, input: half, map: shares(1), options })).value,
    ).toBeCloseTo(1, 6);
    expect(
      (
        await completeness.score({
          ...context,
          input: half,
          map: shares(1),
          options: { ...options, relative: false },
        })
      ).value,
    ).toBeCloseTo(0.5, 6);
  });

  it('has no value where nothing is promised', async () => {
    expect(
      (await completeness.score({ ...context, input: tensor([1, 1, H, W]), map: perfect, options }))
        .value,
    ).toBeNull();
  });
});

describe('μFidelity', () => {
  const options = { grid: 5 };
  const score = async (map: Tensor, more = {}) =>
    (await muFidelity.score({ ...context, map, options, ...more })).value as number;

  it('is 1 for the contributions of a linear model in any rising scale, -1 for their opposite', async () => {
    expect(await score(perfect)).toBeCloseTo(1, 9);
    expect(await score(mapOf(region.map((value) => 40 * value)))).toBeCloseTo(1, 9);
    expect(await score(mapOf(Array.from(region, (value) => -value)))).toBeCloseTo(-1, 9);
    for (const seed of [1, 2, 3]) expect(Math.abs(await score(randomMap(seed)))).toBeLessThan(0.7);
  });

  it('is about 0 for a map of ones, unless sets of many cells are let cost more', async () => {
    const ones = mapOf(new Float32Array(H * W).fill(1));
    const divisible = { grid: 2, subset: 0.25 }; // 30 pixels a cell: every set of one cell weighs the same
    expect(await score(ones, { options: divisible })).toBe(0);
    expect(
      await score(ones, { preset: 'xplique', options: { score: 'probability', grid: 5 } }),
    ).toBeGreaterThan(0.3);
  });

  it('is 0 for a map of zeros, and depends on the seed, not on the batch size', async () => {
    expect(await score(mapOf(new Float32Array(H * W)))).toBe(0);
    const map = randomMap(5);
    expect(await score(map, { batchSize: 1 })).toBe(await score(map, { batchSize: 64 }));
    expect(await score(map, { seed: 1 })).not.toBe(await score(map));
  });
});

describe('infidelity', () => {
  const score = async (map: Tensor, options: Record<string, unknown>, more = {}) =>
    (await infidelity.score({ ...context, map, options, ...more })).value as number;
  const contributions = mapOf(Array.from(region, (value) => value / R));

  it('is 0 for the contributions of a linear model, and with scale for any multiple of them', async () => {
    expect(await score(contributions, { scale: false })).toBeLessThan(1e-12);
    expect(await score(mapOf(region.map((value) => 7 * value)), {})).toBeLessThan(1e-12);
    expect(await score(mapOf(region.map((value) => 7 * value)), { scale: false })).toBeGreaterThan(
      1,
    );
    for (const map of [inverted, randomMap(1)]) expect(await score(map, {})).toBeGreaterThan(1e-3);
  });

  it('of a map of zeros is the mean squared loss, the most that a scaled map can have', async () => {
    const zero = mapOf(new Float32Array(H * W));
    const [scaled, plain] = [await score(zero, {}), await score(zero, { scale: false })];
    expect(scaled).toBe(plain);
    expect(await score(mapOf(Array.from(region, (value) => -value)), {})).toBe(plain); // the opposite is no forecast
    for (const seed of [1, 2]) expect(await score(randomMap(seed), {})).toBeLessThanOrEqual(plain);
    // One square as large as the picture's shorter side, W: it hides the region whole, or all but
    // its top rows.
    const whole = await score(zero, { side: 1, scale: false });
    expect(whole).toBeGreaterThan(0.9);
    expect(whole).toBeLessThanOrEqual(1);
  });

  it('takes weights times what the pixels lose', async () => {
    const double = tensor([1, 1, H, W], new Float32Array(H * W).fill(2));
    expect(
      await score(contributions, { map: 'weights', scale: false }, { input: double }),
    ).toBeLessThan(1e-12);
    expect(await score(contributions, { scale: false }, { input: double })).toBeGreaterThan(1e-3);
  });
});
