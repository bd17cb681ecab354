import { describe, expect, it } from 'vitest';
import type { Tensor } from '../tensor/tensor.ts';
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
import { saco } from './saco.ts';

const score = async (map: Tensor, options = {}) =>
  (await saco.score({ ...context, map, options: { baseline: 'zero', ...options } }))
    .value as number;

/**
 * A literal copy of the coefficient, for a picture of ones. If a group is hidden, the score falls
 * by the share of the region in this group.
 */
function literal(map: Tensor, groups: number): number {
  const order = Array.from(map.data.keys()).sort((a, b) => map.data[b] - map.data[a] || a - b);
  const size = order.length / groups;
  const parts = Array.from({ length: groups }, (_, g) => order.slice(g * size, (g + 1) * size));
  const s = parts.map((part) => part.reduce((total, i) => total + map.data[i], 0));
  const d = parts.map((part) => part.filter((i) => region[i]).length / R);
  let [signed, total] = [0, 0];
  for (let i = 0; i < groups; i++)
    for (let j = i + 1; j < groups; j++) {
      signed += d[i] >= d[j] ? s[i] - s[j] : s[j] - s[i];
      total += Math.abs(s[i] - s[j]);
    }
  return signed / total;
}

describe('SaCo', () => {
  it('is 1 for the perfect map of one region, and -1 for its negative', async () => {
    expect(await score(perfect, { groups: 6 })).toBe(1);
    // The 100 pixels outside the region come first, in five groups of 20. The region comes last.
    expect(await score(inverted, { groups: 6 })).toBe(-1);
  });

  it('equals its definition for any map', async () => {
    for (const seed of [1, 2, 3])
      expect(await score(randomMap(seed))).toBeCloseTo(literal(randomMap(seed), 10), 6);
  });

  it('weights a pair of groups by its difference in salience', async () => {
    // Three groups of 40 pixels: means 3, 2, 0. The region lies in the second, so pair (1, 2) is in
    // the wrong order (weight 1), pair (2, 3) in the right order (2), and pair (1, 3) is a tie (3).
    const outside = Array.from(region.keys()).filter((i) => !region[i]);
    const values = new Float32Array(H * W);
    outside.slice(0, 40).forEach((i) => (values[i] = 3));
    for (let i = 0; i < H * W; i++) if (region[i]) values[i] = 2;
    outside.slice(40, 60).forEach((i) => (values[i] = 2));
    expect(await score(mapOf(values), { groups: 3 })).toBeCloseTo((-1 + 2 + 3) / 6, 6);
  });

  it('is 0 for a constant map, and does not depend on the batch size', async () => {
    expect(await score(mapOf(new Float32Array(H * W).fill(2)))).toBe(0);
    const run = (batchSize: number) => saco.score({ ...context, map: randomMap(4), batchSize });
    expect((await run(1)).value).toBe((await run(64)).value);
  });

  it('replaces groups by the mean color of the picture by default', async () => {
    const { options, preset } = await saco.score({ ...context, map: perfect });
    expect(options).toEqual({ groups: 10, baseline: 'mean' });
    expect(preset).toBe('wu-2024');
  });
});
