import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import {
  CLASSES,
  convNet,
  HEIGHT,
  linearNet,
  linearWeights,
  picture,
  WIDTH,
} from './fixtures/nets.ts';

const run = (model: Parameters<typeof explain>[0], options = {}, extra = {}) =>
  explain(model, picture, { method: 'expected-gradients', target: 1, options, ...extra });

describe('expected gradients', () => {
  it('equal weight times (input - mean reference) for a linear model', async () => {
    for (const references of ['colour', 'noise']) {
      const { map, standardError, manifest } = await run(await linearNet(), {
        samples: 300,
        references,
      });
      const area = HEIGHT * WIDTH;
      let deviations = 0;
      map.data.forEach((value, i) => {
        const expected = [0, 1, 2].reduce((sum, c) => {
          const middle = (0.5 - IMAGENET_PREPROCESSING.mean[c]) / IMAGENET_PREPROCESSING.std[c];
          return (
            sum +
            linearWeights.data[(c * area + i) * CLASSES + 1] * (picture.data[c * area + i] - middle)
          );
        }, 0);
        deviations += ((value - expected) / (standardError?.data[i] ?? 0)) ** 2 / area;
      });
      expect(deviations).toBeLessThan(3);
      // The sum is exact for every sample of a linear model.
      expect(manifest.extras.completenessDelta).toBeCloseTo(0, 2);
      expect(manifest.modelCalls).toEqual({ forward: 601, backward: 300 });
    }
  });

  it('nearly add up to the score minus the mean reference score, for any batch size', async () => {
    const model = await convNet('tanh', 'Softplus');
    const { map, manifest } = await run(model, { samples: 400 });
    const { score, referenceScore, completenessDelta } = manifest.extras as Record<string, number>;
    expect(Math.abs(completenessDelta)).toBeLessThan(0.2 * Math.abs(score - referenceScore) + 0.2);
    expect((await run(model, { samples: 400 }, { batchSize: 7 })).map.data).toBeAllClose(map.data, {
      atol: 5e-6,
    });
  });
});
