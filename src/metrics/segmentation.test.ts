import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { averagePrecision } from './average-precision.ts';
import { f1 } from './f1.ts';
import { rectangle } from './fixtures/region-model.ts';
import { iou } from './iou.ts';
import { dataSetLevel } from './levels.ts';
import { meanIou } from './mean-iou.ts';
import { pixelAccuracy } from './pixel-accuracy.ts';
import { pointingGame } from './pointing-game.ts';
import { relevanceMass } from './relevance-mass.ts';
import { relevanceRank } from './relevance-rank.ts';

const [H, W] = [20, 30];
const object = rectangle(H, W, [5, 5, 15, 15]); // 100 of 600 pixels
const mapOf = (values: ArrayLike<number>) => tensor([H, W], Float32Array.from(values));
const perfect = mapOf(object);
const inverted = mapOf(object.map((value) => 1 - value));
const shifted = (by: number) => mapOf(rectangle(H, W, [5, 5 + by, 15, 15 + by]));

function randomMap(seed: number) {
  const random = createRandom(seed);
  return mapOf(Array.from({ length: H * W }, () => random.uniform()));
}

const localisation = [
  pixelAccuracy,
  meanIou,
  averagePrecision,
  relevanceMass,
  relevanceRank,
] as const;

describe('the measures of a map as a segmentation', () => {
  it.each(localisation.map((metric) => [metric.name, metric] as const))(
    '%s: 1 for the perfect map, less for random ones, least for the inverted',
    async (_, metric) => {
      const score = async (map: typeof perfect) =>
        (await metric.score({ map, mask: object })).value as number;
      expect(await score(perfect)).toBe(1);
      const worst = await score(inverted);
      for (const seed of [1, 2, 3]) {
        const value = await score(randomMap(seed));
        expect(value).toBeLessThan(0.8);
        if (metric !== averagePrecision) expect(value).toBeGreaterThan(worst);
      }
      // All scores of the inverted map are tied, the wrong half first: precision 0, then one half
      // for all.
      expect(worst).toBe(metric === averagePrecision ? 0.5 : 0);
    },
  );

  it.each([...localisation, f1, iou, pointingGame].map((metric) => [metric.name, metric] as const))(
    '%s: no value without an object, or where all of it is void',
    async (_, metric) => {
      const nothing = { value: null, reason: 'the mask has no object pixel' };
      expect(await metric.score({ map: perfect, mask: new Uint8Array(H * W) })).toMatchObject(
        nothing,
      );
      expect(await metric.score({ map: perfect, mask: object, void: object })).toMatchObject(
        nothing,
      );
    },
  );

  it('have their closed forms for shifted squares', async () => {
    for (const by of [0, 1, 4, 9, 12]) {
      const both = 10 * Math.max(0, 10 - by);
      const wrong = 200 - 2 * both;
      const map = shifted(by);
      expect((await pixelAccuracy.score({ map, mask: object })).value).toBeCloseTo(
        (600 - wrong) / 600,
        12,
      );
      const neither = 600 - both - wrong;
      expect((await meanIou.score({ map, mask: object })).value).toBeCloseTo(
        (both / (both + wrong) + neither / (neither + wrong)) / 2,
        12,
      );
      expect((await relevanceMass.score({ map, mask: object })).value).toBeCloseTo(both / 100, 12);
      expect((await relevanceRank.score({ map, mask: object })).value).toBeCloseTo(both / 100, 12);
    }
  });

  it('leave void pixels out', async () => {
    const left = rectangle(H, W, [0, 15, H, W]); // all that a map shifted by 4 has beyond the object
    const map = shifted(4);
    expect((await relevanceMass.score({ map, mask: object, void: left })).value).toBe(1);
    expect((await iou.score({ map, mask: object, void: left })).value).toBeCloseTo(60 / 100, 12);
    expect((await pixelAccuracy.score({ map, mask: object, void: left })).value).toBeCloseTo(
      260 / 300,
      12,
    );
    expect((await relevanceRank.score({ map, mask: object, void: left })).value).toBeCloseTo(
      0.6 + 0 / 100,
      12,
    );
    expect((await pointingGame.score({ map: mapOf(left), mask: object, void: left })).value).toBe(
      0,
    );
  });

  it('cut at the mean, as in published tables, or at a share of the range', async () => {
    const ramp = tensor([1, 4], Float32Array.of(0, 1, 2, 9)); // mean 3
    const mask = Uint8Array.of(0, 0, 1, 1);
    expect((await pixelAccuracy.score({ map: ramp, mask })).value).toBe(0.75);
    expect(
      (await pixelAccuracy.score({ map: ramp, mask, options: { threshold: 0.2 } })).value,
    ).toBe(1);
  });
});

describe('the level of the data set', () => {
  it('sums before it divides', async () => {
    const scores = await Promise.all(
      [shifted(0), shifted(5), perfect].map((map, i) =>
        meanIou.score({ map, mask: i < 2 ? object : new Uint8Array(H * W) }),
      ),
    );
    const foreground = (100 + 50) / (100 + 150);
    const background = (500 + 450) / (500 + 550);
    expect(dataSetLevel(scores)).toEqual({
      value: expect.closeTo((foreground + background) / 2, 12),
      count: 2,
      excluded: 1,
    });
    expect(dataSetLevel([])).toEqual({ value: null, count: 0, excluded: 0 });
  });

  it('does not count a class that is nowhere', async () => {
    const all = new Uint8Array(4).fill(1);
    const map = tensor([1, 4], Float32Array.of(0, 1, 1, 1));
    expect((await meanIou.score({ map, mask: all, void: Uint8Array.of(1, 0, 0, 0) })).value).toBe(
      1,
    );
  });
});

describe('average precision', () => {
  /** The area under precision over recall, by a sweep over every distinct score. */
  function replica(scores: readonly number[], positive: readonly number[]): number {
    const cuts = [...new Set(scores)].sort((a, b) => b - a);
    const total = positive.reduce((sum, x) => sum + x, 0);
    let [area, recall] = [0, 0];
    for (const cut of cuts) {
      const chosen = positive.filter((_, i) => scores[i] >= cut);
      const hits = chosen.reduce((sum, x) => sum + x, 0);
      area += (hits / total - recall) * (hits / chosen.length);
      recall = hits / total;
    }
    return area;
  }

  it('is the area under precision over recall, ties standing together', async () => {
    const random = createRandom(5);
    for (let round = 0; round < 5; round++) {
      const values = Float32Array.from({ length: 40 }, () => random.integer(9) / 8);
      values.set([0, 1]);
      const mask = Uint8Array.from({ length: 40 }, () => random.integer(2));
      const [map, list, truth] = [tensor([5, 8], values), Array.from(values), Array.from(mask)];
      expect((await averagePrecision.score({ map, mask, preset: 'object' })).value).toBeCloseTo(
        replica(list, truth),
        12,
      );
      const both = replica(
        [...list.map((x) => 1 - x), ...list],
        [...truth.map((x) => 1 - x), ...truth],
      );
      expect((await averagePrecision.score({ map, mask })).value).toBeCloseTo(both, 12);
    }
  });

  it('of a constant map is the share of the object, or one half with both classes where the map is 0', async () => {
    const map = mapOf(new Float32Array(H * W).fill(3));
    expect(
      (await averagePrecision.score({ map, mask: object, preset: 'object' })).value,
    ).toBeCloseTo(1 / 6, 12);
    // The background's scores, all 1, come first: 500 of 600 right, then all 1200 with 600 right.
    expect((await averagePrecision.score({ map, mask: object })).value).toBeCloseTo(
      (5 / 6) * (5 / 6) + (1 / 6) * (1 / 2),
      12,
    );
  });
});

describe('the row-wise F1 of published tables', () => {
  it('is the mean over rows; rows of neither count 0', async () => {
    const { value, preset } = await f1.score({
      map: perfect,
      mask: object,
      preset: 'chefer-2021-rows',
    });
    expect(value).toBe(10 / 20); // perfect, and still no more than the share of rows with an object
    expect(preset).toBe('chefer-2021-rows');
    const half = await f1.score({ map: shifted(5), mask: object, preset: 'chefer-2021-rows' });
    expect(half.value).toBeCloseTo(0.25, 12);
  });

  it('is never the default', async () => {
    expect(await f1.score({ map: perfect, mask: object })).toMatchObject({
      value: 1,
      preset: 'iassa-2020',
    });
  });
});

describe('relevance', () => {
  const map = tensor([1, 4], Float32Array.of(1, -2, 3, 0));
  const mask = Uint8Array.of(1, 1, 0, 0);

  it('mass takes the positive part, the size or the square', async () => {
    expect((await relevanceMass.score({ map, mask })).value).toBeCloseTo(1 / 4, 12);
    expect((await relevanceMass.score({ map, mask, preset: 'absolute' })).value).toBeCloseTo(
      3 / 6,
      12,
    );
    expect((await relevanceMass.score({ map, mask, preset: 'squared' })).value).toBeCloseTo(
      5 / 14,
      12,
    );
    expect(
      await relevanceMass.score({ map: tensor([1, 4], Float32Array.of(-1, -1, 0, 0)), mask }),
    ).toMatchObject({
      value: null,
      reason: 'the map has no relevance',
    });
  });

  it('rank looks at as many pixels as the object has', async () => {
    expect((await relevanceRank.score({ map, mask })).value).toBe(0.5); // 3 and 1 are the top two
    expect((await relevanceRank.score({ map, mask, order: [1, 0, 2, 3] })).value).toBe(1);
  });

  it('is the energy of the pointing game', async () => {
    const energy = await pointingGame.score({ map, mask, preset: 'energy' });
    expect(energy).toMatchObject({ value: 0.25, preset: 'energy' });
    expect(
      (await pointingGame.score({ map: tensor([1, 4]), mask, preset: 'energy' })).value,
    ).toBeNull();
  });
});
