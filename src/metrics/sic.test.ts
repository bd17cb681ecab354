import { describe, expect, it } from 'vitest';
import type { Image } from '../image/image.ts';
import { normalizePixels } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { aic } from './aic.ts';
import {
  bright,
  context,
  inside,
  losslessSize,
  mapOf,
  model,
  options,
  perfect,
  pictureOf,
} from './fixtures/chessboard.ts';
import { sic } from './sic.ts';

describe('SIC', () => {
  it('is the diagonal for a model whose score is the information', async () => {
    const { value, curve } = await sic.score({ ...context, map: perfect, options });
    expect(value).toBeCloseTo(0.5, 6);
    expect(curve?.x).toHaveLength(1001);
    expect(curve?.y).toBeAllClose((curve as { x: readonly number[] }).x, { atol: 5e-7 });
  });

  it('is highest if the map shows the object first, and lowest if last', async () => {
    // The background is noise, which also has information.
    const noise = createRandom(7);
    const picture = pictureOf((x, y) =>
      bright(x, y) ? 255 : inside(x, y) ? 0 : noise.integer(120),
    );
    const variation = async ({ data }: Image) =>
      data.reduce((sum, value, k) => sum + (k < 3 ? 0 : Math.abs(value - data[k - 3])), 0);
    const about = {
      ...context,
      input: normalizePixels(picture, model.preprocessing),
      losslessSize: variation,
      options: { known: 0.01 },
    };
    const score = async (map: Tensor) => (await sic.score({ ...about, map })).value as number;
    const best = await score(perfect);
    const worst = await score(mapOf((x, y) => (inside(x, y) ? -1 - x - y : x + y)));
    const random = createRandom(2);
    const middle = await score(mapOf(() => random.uniform()));
    expect(best).toBeGreaterThan(middle);
    expect(middle).toBeGreaterThan(worst);
  });

  it('has no value for pictures that it cannot score, and gives the reason', async () => {
    const reason = async (change: object) =>
      (await sic.score({ ...context, map: perfect, options, ...change })).reason;
    expect(await reason({ losslessSize: async () => 5 })).toContain('no less information');
    expect(
      await reason({
        input: normalizePixels(
          pictureOf(() => 0),
          model.preprocessing,
        ),
      }),
    ).toContain('0.000, is below 0.8');
    const white = normalizePixels(
      pictureOf(() => 255),
      model.preprocessing,
    );
    expect(
      await reason({
        input: white,
        losslessSize: async (picture: Image) => (picture === undefined ? 0 : 1),
      }),
    ).toContain('no less information');
    await expect(sic.score({ ...context, losslessSize: undefined, map: perfect })).rejects.toThrow(
      'sic: needs `losslessSize`',
    );
  });

  it('shares its pictures with AIC', async () => {
    let packed = 0;
    const counting = async (picture: Image) => {
      packed++;
      return losslessSize(picture);
    };
    const about = { ...context, map: perfect, options: { known: 0.05 }, losslessSize: counting };
    const alone = [await sic.score(about), await aic.score(about)];
    const [each, shared] = [packed / 2, new Map()];
    packed = 0;
    expect([await sic.score({ ...about, shared }), await aic.score({ ...about, shared })]).toEqual(
      alone,
    );
    expect(packed).toBe(each);
  });

  it('draws the known pixels from the seed, for any batch size', async () => {
    const score = (more: object) =>
      sic.score({ ...context, map: perfect, options: { known: 0.05 }, ...more });
    expect(await score({ batchSize: 1 })).toEqual(await score({ batchSize: 20 }));
    expect((await score({ seed: 1 })).curve).not.toEqual((await score({ seed: 2 })).curve);
  });
});
