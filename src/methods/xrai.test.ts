import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import type { Model } from '../model/model.ts';
import { extent, mean, spearman } from '../tensor/statistics.ts';
import { CLASSES, HEIGHT, linearNet, linearWeights, picture, WIDTH } from './fixtures/nets.ts';
import { explainCase, haveReference, recorded, recordedCases } from './fixtures/reference.ts';
import { methods } from './index.ts';

const AREA = HEIGHT * WIDTH;
const explained = (model: Model, method: string, options = {}) =>
  explain(model, picture, { method: methods.get(method), target: 1, options });

describe('xrai', () => {
  // Kapishnikov et al. 2019, section 3: regions have their mean attribution. Every step of the path
  // has the same gradient w, so integrated gradients from a baseline b are w (x - b).
  it('equals the mean over each region of the largest attribution for a linear model', async () => {
    const inLeft = (i: number) => i % WIDTH < 12;
    const segments = [Array.from({ length: AREA }, (_, i) => (inLeft(i) ? 0 : 1))];
    const [least, most] = extent(picture.data);
    const attribution = Array.from({ length: AREA }, (_, i) => {
      const channels = [0, 1, 2].map((c) => {
        const [w, x] = [
          linearWeights.data[(c * AREA + i) * CLASSES + 1],
          picture.data[c * AREA + i],
        ];
        return (w * (x - least) + w * (x - most)) / 2;
      });
      return Math.max(...channels);
    });
    const [left, right] = [true, false].map((side) =>
      mean(attribution.filter((_, i) => inLeft(i) === side)),
    );
    const { map } = await explained(await linearNet(), 'xrai', { steps: 3, segments, dilation: 0 });
    expect(map).toBeAllClose(Array.from({ length: AREA }, (_, i) => (inLeft(i) ? left : right)));
  });

  it('uses given segmentations, and refuses those that do not fit', async () => {
    const model = await linearNet();
    const segments = [Array.from({ length: AREA }, (_, i) => (i % WIDTH < WIDTH / 2 ? 0 : 1))];
    const { map } = await explained(model, 'xrai', { steps: 2, segments, dilation: 0 });
    expect(new Set(map.data).size).toBe(2);
    await expect(explained(model, 'xrai', { segments: [[0, 1]] })).rejects.toThrow(
      /xrai.segments\[0\] has 2 labels: expected one label per pixel of the input, 24×32/,
    );
  });
});
describe.skipIf(!haveReference('xrai'))('xrai as PAIR recorded it (needs ../shared)', () => {
  const cases = recordedCases('xrai')
    .filter((each) => 'map_full' in each.arrays)
    .slice(0, 1);
  it.each(cases.map((each) => [each.case, each] as const))(
    '%s',
    async (_, each) => {
      for (const algorithm of ['full', 'fast']) {
        const { map } = await explainCase(each, 'xrai', { steps: 25, algorithm });
        expect(
          spearman(map.data, recorded('xrai', each.arrays[`map_${algorithm}`]).data),
        ).toBeGreaterThan(0.98);
      }
    },
    300_000,
  );
});
