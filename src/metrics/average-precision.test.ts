import { describe, expect, it } from 'vitest';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { averagePrecision } from './average-precision.ts';
import { itComparesWithObjects } from './fixtures/segmentation.ts';
import { H, mapOf, object, W } from './fixtures/squares.ts';

describe('average precision', () => {
  /** A literal copy: the area under precision over recall, by a loop over all distinct scores. */
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

  it('equals the area under precision over recall; tied pixels count together', async () => {
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

  it('equals a closed form for a constant map', async () => {
    const map = mapOf(new Float32Array(H * W).fill(3));
    expect(
      (await averagePrecision.score({ map, mask: object, preset: 'object' })).value,
    ).toBeCloseTo(1 / 6, 12);
    // The scores of the background, all 1, come first: 500 of 600 are right. Then come all 1200,
    // and 600 are right.
    expect((await averagePrecision.score({ map, mask: object })).value).toBeCloseTo(
      (5 / 6) * (5 / 6) + (1 / 6) * (1 / 2),
      12,
    );
  });

  // All scores of the inverted map are tied, and the wrong half comes first: the precision is 0,
  // then one half.
  itComparesWithObjects(averagePrecision, 0.5);
});
