import { describe, expect, it } from 'vitest';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { adcc } from './adcc.ts';
import {
  context,
  H,
  inverted,
  mapOf,
  perfect,
  R,
  randomMap,
  region,
  W,
} from './fixtures/region-scene.ts';

/** Scores a map. `again` is the map of the picture multiplied by the map. */
async function score(map: Tensor, again: (input: Tensor) => Tensor = () => map) {
  const explain = async ({ input }: { input?: Tensor }) => again(input ?? context.input);
  return adcc.score({ ...context, map, explain });
}

describe('ADCC', () => {
  it('is the harmonic mean of its terms for the perfect map', async () => {
    // The coherency is 1, the complexity is R divided by all pixels, and there is no drop.
    const expected = 3 / (1 + 1 / (1 - R / (H * W)) + 1);
    expect((await score(perfect)).value).toBeCloseTo(expected, 6);
  });

  it('explains the picture multiplied by the map', async () => {
    const map = mapOf(region.map((value, i) => (value ? 5 : i === 0 ? 9 : 1)));
    let seen: Tensor | undefined;
    const { value } = await score(map, (input) => {
      seen = input;
      return randomMap(1);
    });
    const shares = Array.from(region, (inside, i) => (inside ? 0.5 : i === 0 ? 1 : 0));
    expect(Array.from(seen?.data ?? [])).toEqual(shares); // a picture of ones
    // Pearson's correlation by its definition.
    const [a, b] = [Array.from(map.data), Array.from(randomMap(1).data)];
    const mean = (list: number[]) => list.reduce((total, x) => total + x, 0) / list.length;
    const [meanA, meanB] = [mean(a), mean(b)];
    const covariance = mean(a.map((x, i) => (x - meanA) * (b[i] - meanB)));
    const deviation = (list: number[], m: number) => Math.sqrt(mean(list.map((x) => (x - m) ** 2)));
    const pearson = covariance / deviation(a, meanA) / deviation(b, meanB);
    const complexity = mean(shares);
    // The region has half its value, so the probability drops from 1 to 1/2.
    const expected = 3 / (2 / (1 + pearson) + 1 / (1 - complexity) + 1 / (1 - 0.5));
    expect(value).toBeCloseTo(expected, 5);
  });

  it('is 0 if the class loses all its probability, or for a negated second map', async () => {
    expect((await score(inverted)).value).toBe(0);
    expect((await score(perfect, () => inverted)).value).toBe(0);
  });

  it('has no value if the probability of the class is 0', async () => {
    const nothing = { ...context, input: tensor([1, 1, H, W]) };
    const { value, reason } = await adcc.score({
      ...nothing,
      map: perfect,
      explain: async () => perfect,
    });
    expect(value).toBeNull();
    expect(reason).toMatch(/probability of the class is 0/);
  });

  it('needs `explain`', async () => {
    await expect(adcc.score({ ...context, map: perfect })).rejects.toThrow('needs `explain`');
  });
});
