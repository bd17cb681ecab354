import { describe, expect, it } from 'vitest';
import { explain } from '../explain.ts';
import { tensor } from '../tensor/tensor.ts';
import { convNet, HEIGHT, linearNet, picture, WIDTH } from './fixtures/nets.ts';
import {
  haveReference,
  recorded,
  recordedCases,
  recordedFile,
  recordedInput,
  referenceModel,
  relativeError,
} from './fixtures/reference.ts';
import { noisyGradients } from './smoothgrad.ts';

const run = (model: Parameters<typeof explain>[0], options = {}, extra = {}) =>
  explain(model, picture, { method: 'smoothgrad', target: 1, options, ...extra });

describe('smoothgrad', () => {
  it('equals the gradient for a linear model, with zero spread', async () => {
    const model = await linearNet();
    const gradient = (await explain(model, picture, { method: 'gradient', target: 1 })).map.data;
    const { map, manifest } = await run(model, { samples: 5 });
    expect(map.data).toBeAllClose(gradient, { atol: 5e-6 });
    expect(manifest.standardError).toBeCloseTo(0, 5);
    expect((await run(model, { samples: 5, kind: 'variance' })).map).toBeAllClose(
      new Array(HEIGHT * WIDTH).fill(0),
      { atol: 5e-6 },
    );
    const square = (
      await explain(model, picture, { method: 'gradient', target: 1, options: { reduce: 'l2' } })
    ).map.data;
    expect((await run(model, { samples: 5, kind: 'squared' })).map).toBeAllClose(
      square.map((value) => value ** 2),
      { atol: 5e-4 },
    );
  });

  it('equals the gradient without noise', async () => {
    const model = await convNet('tanh');
    const gradient = (await explain(model, picture, { method: 'gradient', target: 1 })).map.data;
    const { map, manifest } = await run(model, { samples: 3, noise: 0 });
    expect(map.data).toBeAllClose(gradient, { atol: 5e-7 });
    expect(manifest.standardError).toBe(0);
    expect((await run(model, { samples: 3, noise: 0.1 })).map.data).not.toBeAllClose(gradient, {
      l2: 1e-3,
    });
  });

  it('depends on the seed, not on the batch size, and reports its standard error', async () => {
    const model = await convNet('tanh');
    const once = await run(model, { samples: 20 });
    expect((await run(model, { samples: 20 }, { batchSize: 3 })).map.data).toBeAllClose(
      once.map.data,
      { atol: 5e-6 },
    );
    const other = await run(model, { samples: 20 }, { seed: 1 });
    const apart = Math.sqrt(
      other.map.data.reduce((sum, value, i) => sum + (value - once.map.data[i]) ** 2, 0) /
        other.map.data.length,
    );
    const claimed = once.manifest.standardError ?? 0;
    expect(apart).toBeGreaterThan(0.5 * claimed);
    expect(apart).toBeLessThan(4 * claimed);
  });
});

describe.skipIf(!haveReference('pixel'))(
  'smoothgrad with the same noise as captum (needs ../shared)',
  () => {
    it.each(recordedCases('pixel').map((each) => [`${each.model} ${each.case}`, each] as const))(
      '%s',
      async (_, each) => {
        const { data: noise } = recordedFile('pixel', 'smoothgrad_noise.npy');
        const input = recordedInput(each);
        const { sigma } = each.params.smoothgrad;
        const size = input.data.length;
        const { mean } = await noisyGradients({
          model: await referenceModel(each.model),
          input,
          target: each.target,
          score: 'logit',
          count: 10,
          noise: (k, values) =>
            values.forEach((__, i) => (values[i] = (noise[k * size + i] / 32) * sigma)),
        });
        const expected = recorded('pixel', each.arrays.smoothgrad);
        const sums = (x: ArrayLike<number>) =>
          tensor(
            [size / 3],
            Float32Array.from(
              { length: size / 3 },
              (__, i) => x[i] + x[i + size / 3] + x[i + (2 * size) / 3],
            ),
          ).data;
        const error = relativeError(
          sums(mean),
          expected.shape.length === 2 ? expected.data : sums(expected.data),
        );
        if (process.env.FOVEA_ERRORS)
          console.log('smoothgrad', 'smoothgrad', each.model, each.case, error);
        expect(error).toBeLessThan(1e-2); // ReLU6 gates within rounding of 0 or 6
      },
      300_000,
    );
  },
);
