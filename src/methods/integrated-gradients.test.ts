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
import {
  describePixelReference,
  explainCase,
  haveReference,
  recordedCases,
} from './fixtures/reference.ts';

describe('integrated gradients', () => {
  it('equal weight times (input - baseline) for a linear model, with one step', async () => {
    const { map, manifest } = await explain(await linearNet(), picture, {
      method: 'integrated-gradients',
      target: 1,
      options: { steps: 1 },
    });
    const area = HEIGHT * WIDTH;
    map.data.forEach((value, i) => {
      const expected = [0, 1, 2].map(
        (c) =>
          linearWeights.data[(c * area + i) * CLASSES + 1] *
          (picture.data[c * area + i] +
            IMAGENET_PREPROCESSING.mean[c] / IMAGENET_PREPROCESSING.std[c]),
      );
      expect(value).toBeCloseTo(
        expected.reduce((a, b) => a + b),
        4,
      );
    });
    expect(manifest.modelCalls).toEqual({ forward: 3, backward: 1 });
  });

  it('add up to the difference of the scores, and report the error', async () => {
    const model = await convNet('tanh', 'Softplus');
    for (const output of ['logit', 'probability'] as const) {
      const { map, manifest } = await explain(model, picture, {
        method: 'integrated-gradients',
        target: 0,
        options: { output, baseline: 'white' },
      });
      const { score, baselineScore, sum, completenessDelta } = manifest.extras as Record<
        string,
        number
      >;
      expect(Math.abs(completenessDelta)).toBeLessThan(1e-3);
      expect(completenessDelta).toBeCloseTo(sum - (score - baselineScore), 6);
      expect(map.data.reduce((a, b) => a + b, 0)).toBeCloseTo(sum, 3);
    }
  });
});

// The weights of captum's trapezoid rule add up to 49/50 for 50 steps, so its results are 2 % too
// small.
const trapezoid = recordedCases('pixel').map(
  (each) => [`${each.model} ${each.case}`, each] as const,
);
describe.skipIf(!haveReference('pixel'))(
  'integrated-gradients reports the scores that captum recorded (needs ../shared)',
  () => {
    it.each(trapezoid.slice(0, 2))(
      '%s',
      async (_, each) => {
        const { extras } = (
          await explainCase(each, 'integrated-gradients', { quadrature: 'trapezoid' })
        ).manifest;
        const { logit_x, logit_baseline, attribution_sum } = each.params.ig50_trapezoid;
        expect(extras.score).toBeCloseTo(logit_x, 3);
        expect(extras.baselineScore).toBeCloseTo(logit_baseline, 3);
        expect(Math.abs((extras.sum as number) * (49 / 50) - attribution_sum)).toBeLessThan(2e-2);
      },
      300_000,
    );
  },
);
describePixelReference(
  'integrated-gradients',
  'ig50_trapezoid',
  () => ({ quadrature: 'trapezoid' }),
  3e-3,
  49 / 50,
);
describePixelReference('integrated-gradients', 'ig50_gausslegendre', () => ({}), 3e-3);
describePixelReference('integrated-gradients', 'ig50_right', () => ({ quadrature: 'right' }), 3e-3);
