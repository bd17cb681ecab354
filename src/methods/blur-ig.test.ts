import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { gaussianFilter } from '../image/gaussian-filter.ts';
import type { Model } from '../model/model.ts';
import { CLASSES, HEIGHT, linearNet, linearWeights, picture, WIDTH } from './fixtures/nets.ts';
import { describePixelReference } from './fixtures/reference.ts';
import { methods } from './index.ts';

const AREA = HEIGHT * WIDTH;
const explained = (model: Model, method: string, options = {}) =>
  explain(model, picture, { method: methods.get(method), target: 1, options });

describe('blur-ig', () => {
  it.each([
    ['linear', (share: number, most: number) => share * most],
    ['sqrt', (share: number, most: number) => Math.sqrt(share * most)],
  ] as const)(
    'with spacing %s, a linear model gives its weights times the part that the blurs remove',
    async (spacing, sigmaAt) => {
      const [steps, maxSigma] = [40, 3];
      const { map, manifest } = await explained(await linearNet(), 'blur-ig', {
        steps,
        maxSigma,
        spacing,
        sigmaStep: 1e-3,
      });
      const expected = new Float64Array(AREA);
      for (let c = 0; c < 3; c++) {
        const plane = Float64Array.from(picture.data.subarray(c * AREA, (c + 1) * AREA));
        for (let i = 0; i < steps; i++) {
          const [sigma, after] = [i, i + 1].map((k) => sigmaAt(k / steps, maxSigma));
          const [here, next] = [sigma, sigma + 1e-3].map((s) =>
            gaussianFilter(HEIGHT, WIDTH, s, 'zero')(plane),
          );
          for (let p = 0; p < AREA; p++)
            expected[p] -=
              ((next[p] - here[p]) / 1e-3) *
              (after - sigma) *
              linearWeights.data[(c * AREA + p) * CLASSES + 1];
        }
      }
      expect(map.data).toBeAllClose(expected, { l2: 1e-3 });
      expect(manifest.modelCalls).toEqual({ forward: steps, backward: steps });
    },
  );
});
describePixelReference('blur-ig', 'blur_ig', () => ({ steps: 50 }), 4e-3, 1, ['mobilenet_v2'], 1);
