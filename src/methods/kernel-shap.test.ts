import { describe, expect, it } from 'vitest';
import { explain, explainAll } from '../explain.ts';
import { createRandom } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { convNet, HEIGHT, picture, WIDTH } from './fixtures/nets.ts';
import { methods } from './index.ts';
import { coalitions, shapleyFit } from './kernel-shap.ts';

/** A game of 6 players with interactions. */
const PLAYERS = 6;
const worth = (z: ArrayLike<number>, at = 0): number => {
  const v = Array.from({ length: PLAYERS }, (_, i) => z[at + i]);
  return 0.3 + v[0] - 0.5 * v[1] + 2 * v[2] * v[3] - v[1] * v[4] + 3 * v[0] * v[2] * v[5];
};

/**
 * The Shapley values φ of the game. Each product of the game is divided equally among its players.
 */
const SHAPLEY = [1 + 1, -0.5 - 0.5, 1 + 1, 1, -0.5, 1];

const scoresOf = ({ samples }: { samples: Float32Array }) =>
  Float64Array.from({ length: samples.length / PLAYERS }, (_, n) => worth(samples, n * PLAYERS));
const [empty, whole] = [worth(new Float64Array(6)), worth(new Float64Array(6).fill(1))];

describe('shapleyFit', () => {
  it('gives the Shapley values if it uses all coalitions', () => {
    const all = coalitions(PLAYERS, 62, createRandom(0));
    expect(all.weights).toHaveLength(62);
    const { values } = shapleyFit(all, scoresOf(all), PLAYERS, whole, empty);
    expect(values).toBeAllClose(SHAPLEY, { atol: 5e-10 });
  });

  it('gives nearly these values from random coalitions, and always adds up', () => {
    let [within, all] = [0, 0];
    for (let seed = 0; seed < 40; seed++) {
      const drawn = coalitions(PLAYERS, 60, createRandom(seed));
      const { values, standardErrors } = shapleyFit(drawn, scoresOf(drawn), PLAYERS, whole, empty);
      expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(whole - empty, 10);
      values.forEach((value, i) => {
        expect(Math.abs(value - SHAPLEY[i])).toBeLessThan(1);
        within += Number(Math.abs(value - SHAPLEY[i]) < 3 * standardErrors[i] + 1e-9);
        all++;
      });
    }
    expect(within / all).toBeGreaterThan(0.95);
  });

  it('draws sizes from the Shapley kernel, each with its complement', () => {
    // There are only 254 coalitions of 8 players, so all of them are enumerated.
    const { samples } = coalitions(8, 4000, createRandom(3));
    expect(samples.length).toBe(254 * 8);
    const drawn = coalitions(30, 4000, createRandom(3)).samples;
    const sizes = new Float64Array(31);
    for (let n = 0; n < 4000; n++)
      sizes[drawn.subarray(30 * n, 30 * n + 30).reduce((sum, value) => sum + value, 0)]++;
    const weight = (z: number) => 1 / (z * (30 - z));
    const total = Array.from({ length: 29 }, (_, i) => weight(i + 1)).reduce((a, b) => a + b, 0);
    for (const size of [1, 2, 5]) {
      expect(sizes[size]).toBe(sizes[30 - size]);
      expect(sizes[size] / 4000 / (weight(size) / total)).toBeGreaterThan(0.8);
      expect(sizes[size] / 4000 / (weight(size) / total)).toBeLessThan(1.2);
    }
  });
});

describe('kernel-shap', () => {
  const stripes = Array.from({ length: HEIGHT }, () =>
    Array.from({ length: WIDTH }, (_, x) => Math.floor(x / 4)),
  );
  const run = async (extra = {}, options = {}) =>
    explain(await convNet('tanh'), picture, {
      method: 'kernel-shap',
      target: 1,
      options: { segmentation: stripes, hidden: 'zero', ...options },
      ...extra,
    });

  it('is efficient: the values add up to f(x) - f(baseline)', async () => {
    for (const N of [0, 40]) {
      const { manifest, target, map } = await run({}, { N });
      const {
        values,
        whole: f,
        empty: none,
        coalitions: count,
      } = manifest.extras as unknown as {
        values: number[];
        whole: number;
        empty: number;
        coalitions: number;
      };
      expect(values.reduce((sum, value) => sum + value, 0)).toBeCloseTo(f - none, 10);
      expect(f).toBeCloseTo(target.probability, 5);
      expect(count).toBe(N === 0 ? 254 : 40);
      expect(manifest.modelCalls.forward).toBe(count + 2);
      expect(map.data[5]).toBeCloseTo(values[1], 6);
    }
  });

  it('gives the Shapley values of the definition if coalitions are enumerated', async () => {
    const model = await convNet('tanh');
    const halves = Array.from({ length: HEIGHT }, () =>
      Array.from({ length: WIDTH }, (_, x) => Number(x >= WIDTH / 2)),
    );
    const { manifest } = await explain(model, picture, {
      method: 'kernel-shap',
      target: 1,
      options: { segmentation: halves, hidden: 'zero' },
    });
    const f = async (left: number, right: number) => {
      const shown = picture.data.map((value, i) => value * (i % WIDTH >= WIDTH / 2 ? right : left));
      return (await model.classify({ shape: picture.shape, data: shown })).data[1];
    };
    const [none, left, right, both] = [await f(0, 0), await f(1, 0), await f(0, 1), await f(1, 1)];
    const values = manifest.extras.values as number[];
    expect(values[0]).toBeCloseTo((left - none + both - right) / 2, 5);
    expect(values[1]).toBeCloseTo((right - none + both - left) / 2, 5);
  });

  it.each(['slic', 'quickshift', 'felzenszwalb'])(
    'divides the picture by %s',
    async (segmentation) => {
      const { manifest } = await run({}, { segmentation, segments: 6, N: 600 });
      expect(manifest.extras.segments).toBeGreaterThan(0);
      expect(
        (manifest.extras.values as number[]).reduce((sum, value) => sum + value, 0),
      ).toBeCloseTo((manifest.extras.whole as number) - (manifest.extras.empty as number), 9);
    },
  );

  it('gives the same map for the same seed and any batch size', async () => {
    const base = (await run({}, { N: 40 })).map.data;
    for (const batchSize of [1, 7])
      expect((await run({ batchSize }, { N: 40 })).map.data).toBeAllClose(base, { atol: 5e-5 });
    expect([...(await run({ seed: 4 }, { N: 40 })).map.data]).not.toEqual([...base]);
  });

  it('offers maps that add up, and stops when one is accepted', async () => {
    const sums: number[] = [];
    const calls: number[] = [];
    const watch = (enough: number) => ({
      onMap: ({ map, calls: done }: { map: Tensor; calls: number }) => {
        sums.push(
          Array.from({ length: WIDTH / 4 }, (_, i) => map.data[4 * i]).reduce((a, b) => a + b, 0),
        );
        calls.push(done);
        return done >= enough;
      },
    });
    const all = await run(watch(1e9), { N: 200 });
    const { whole: f, empty: none } = all.manifest.extras as { whole: number; empty: number };
    expect(calls.length).toBeGreaterThan(5);
    for (const sum of sums) expect(sum).toBeCloseTo(f - none, 5);
    expect([...all.map.data]).toEqual([...(await run({}, { N: 200 })).map.data]);
    const stopped = await run(watch(60), { N: 200 });
    expect(stopped.manifest.modelCalls.forward).toBeLessThan(100);
    expect(stopped.manifest.extras.coalitions).toBe(stopped.manifest.modelCalls.forward - 2);
    calls.length = 0;
    await run(watch(0), { N: 0 });
    expect(calls).toEqual([]);
  });

  it('explains all classes from the same coalitions, and stops if it is cancelled', async () => {
    const model = await convNet('tanh');
    const request = {
      method: methods.get('kernel-shap'),
      options: { segmentation: stripes, N: 40 },
    };
    const both = await explainAll(model, picture, { ...request, target: 'top:2' });
    expect(both[0].manifest.modelCalls.forward).toBe(42);
    for (const { target, map } of both) {
      const alone = await explain(model, picture, { ...request, target: target.index });
      expect(map.data).toBeAllClose(alone.map.data, { atol: 5e-6 });
    }
    const controller = new AbortController();
    const cancelled = explain(model, picture, {
      ...request,
      target: 1,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('too few coalitions', () => {
  it.each([3, 8, 52])(
    'for %i superpixels are refused, and the error names the least sufficient number',
    (parts) => {
      const refusal = (N: number): number => {
        try {
          coalitions(parts, N, createRandom(4));
          return 0;
        } catch (error) {
          const { message } = error as Error;
          expect(message).toMatch(
            /^kernel-shap\.N = \d+ does not determine the values of \d+ superpixels: expected/,
          );
          return Number(message.match(/at least (\d+)/)?.[1]);
        }
      };
      const least = refusal(2);
      expect(least).toBeGreaterThanOrEqual(Math.min(2 * (parts - 1), 2 ** parts - 2));
      expect(refusal(least - 2)).toBe(least);
      expect(refusal(least)).toBe(0);
      const drawn = coalitions(parts, least, createRandom(4));
      const { samples, weights } = drawn;
      // A linear game: v(z) = Σ z_i i. Its Shapley values are the weights i, for any sufficient
      // coalitions.
      const scores = Array.from(weights, (_, n) =>
        samples
          .subarray(n * parts, (n + 1) * parts)
          .reduce((sum, shown, i) => sum + (shown > 0 ? i : 0), 0),
      );
      const whole = (parts * (parts - 1)) / 2;
      const { values } = shapleyFit(drawn, scores, parts, whole, 0);
      expect(values).toBeAllClose(
        Array.from({ length: parts }, (_, i) => i),
        { atol: 1e-6 },
      );
    },
  );
});
