import { describe, expect, it } from 'vitest';
import { riseBlur } from '../image/blur.ts';
import { renderPerturbation } from '../model/render-perturbation.ts';
import { tensor } from '../tensor/tensor.ts';
import { deletion } from './deletion.ts';
import {
  context,
  H,
  input,
  inverted,
  model,
  perfect,
  R,
  randomMap,
  region,
  W,
} from './fixtures/region-scene.ts';
import { insertion } from './insertion.ts';
import { areaUnder } from './shared/perturbation-curve.ts';
import { pixelOrder, ranksOf } from './shared/ranks.ts';

const { target } = context;

describe('insertion', () => {
  it('rises over the region for the perfect map, and stays there', async () => {
    const options = { step: 5, baseline: 'zero' } as const;
    const { value, curve } = await insertion.score({ model, input, target, map: perfect, options });
    expect(value).toBeCloseTo(1 - R / (2 * H * W), 6);
    expect(curve?.y[0]).toBe(0);
    expect(curve?.y.at(-1)).toBeCloseTo(1, 6);
    expect(
      (await insertion.score({ model, input, target, map: inverted, options })).value,
    ).toBeCloseTo(R / (2 * H * W), 6);
  });

  it('equals the reversed curve of deletion in reversed order, for the same baseline', async () => {
    const map = randomMap(9);
    const reversed = pixelOrder(map.data).reverse();
    const inserted = await insertion.score({
      model,
      input,
      target,
      map,
      options: { step: 8, baseline: 'zero' },
    });
    const deleted = await deletion.score({
      model,
      input,
      target,
      map,
      order: reversed,
      options: { step: 8 },
    });
    expect(inserted.curve?.y).toEqual([...(deleted.curve?.y ?? [])].reverse());
  });

  it("starts from RISE's blur of the normalized input", async () => {
    const picture = tensor([1, 1, H, W], randomMap(4).data);
    const blurred = riseBlur(picture);
    const map = randomMap(5);
    const { curve } = await insertion.score({
      model,
      input: picture,
      target,
      map,
      options: { step: 11 },
    });
    const ranks = ranksOf(pixelOrder(map.data), H * W);
    const bounds = Int32Array.from(
      (curve?.x ?? []).flatMap((share) => [0, Math.round(share * H * W)]),
    );
    const pictures = renderPerturbation(picture, blurred, { kind: 'ranks', ranks, bounds });
    const { data } = await model.classify(pictures);
    expect(curve?.y).toEqual(Array.from({ length: curve?.y.length ?? 0 }, (_, i) => data[2 * i]));
    expect(curve?.y[0]).toBeCloseTo(
      blurred.data.reduce((sum, x, i) => sum + x * region[i], 0) / R,
      6,
    );
  });

  it('has the presets of other libraries', async () => {
    const { value } = await insertion.score({ ...context, map: perfect, preset: 'torch-cam' });
    // The region is visible after R of H·W pixels: a rising line, sampled 20 times.
    const y = Array.from({ length: 21 }, (_, i) => Math.min(1, Math.floor((i * H * W) / 20) / R));
    expect(value).toBeCloseTo(areaUnder(y), 6);
    await expect(insertion.score({ ...context, map: perfect, preset: 'xplique' })).rejects.toThrow(
      'its logits are unknown',
    );
  });
});
