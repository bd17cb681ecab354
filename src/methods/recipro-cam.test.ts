import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { tensor } from '../tensor/tensor.ts';
import {
  CELLS,
  COLUMNS,
  explainSmall,
  features,
  quadraticNet,
  scoreOf,
  smallPicture,
} from './fixtures/quadratic-net.ts';

/**
 * The score of the feature map under a mask around each cell p (Byun & Lee 2022, equations 3 to 5).
 */
const mapFor = (target: number, mask: (down: number, across: number) => number): number[] =>
  Array.from({ length: CELLS }, (_, p) => {
    const masked = features.map((channel) =>
      channel.map((a, i) => {
        const down = Math.floor(i / COLUMNS) - Math.floor(p / COLUMNS);
        return a * mask(down, (i % COLUMNS) - (p % COLUMNS));
      }),
    );
    return scoreOf(masked, target);
  });

describe('recipro-cam', () => {
  it('equals the score of each cell, seen through a 3 × 3 binomial kernel', async () => {
    const line = (distance: number) => [0.5, 0.25][Math.abs(distance)] ?? 0;
    for (const target of [0, 1]) {
      const { map, manifest } = await explainSmall('recipro-cam', target);
      expect(map).toBeAllClose(mapFor(target, (down, across) => line(down) * line(across)));
      expect(manifest.modelCalls.backward).toBe(0);
    }
  });

  it('equals the score of each cell alone without blur', async () => {
    const { map } = await explainSmall('recipro-cam', 0, { blur: false });
    expect(map).toBeAllClose(mapFor(0, (down, across) => (down === 0 && across === 0 ? 1 : 0)));
  });

  it('refuses a model without feature maps', async () => {
    const { preprocessing, labels } = await quadraticNet();
    const black = createFunctionModel({
      name: 'black box',
      labels,
      preprocessing,
      output: 'logits',
      classify: async (batch) => tensor([batch.shape[0], 2]),
    });
    await expect(explain(black, smallPicture, { method: 'recipro-cam' })).rejects.toMatchObject({
      code: 'unsupported',
    });
  });
});
