import { describe, expect, it } from 'vitest';
import { riseBlur } from '../image/blur.ts';
import { renderPerturbation } from '../model/perturbation.ts';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { deletion } from './deletion.ts';
import { rectangle, regionModel } from './fixtures/region-model.ts';
import { insertion } from './insertion.ts';
import { areaUnder, changedPixels } from './shared/perturbation-curve.ts';
import { pixelOrder, ranksOf } from './shared/ranks.ts';

const [H, W] = [12, 10];
const region = rectangle(H, W, [2, 3, 6, 8]); // 20 of 120 pixels
const R = 20;
const model = regionModel(H, W, region);
const input = tensor([1, 1, H, W], new Float32Array(H * W).fill(1));
const target = { index: 0 };
const perfect = tensor([H, W], Float32Array.from(region));
const inverted = tensor(
  [H, W],
  Float32Array.from(region, (value) => -value),
);

function randomMap(seed: number) {
  const random = createRandom(seed);
  return tensor(
    [H, W],
    Float32Array.from({ length: H * W }, () => random.uniform()),
  );
}

describe('areaUnder', () => {
  it('is the trapezoid sum over equal distances', () => {
    expect(areaUnder([1, 1, 1])).toBe(1);
    expect(areaUnder([0, 1])).toBe(0.5);
    expect(areaUnder([4, 2, 1, 0])).toBeCloseTo((3 + 1.5 + 0.5) / 3, 12);
    expect(areaUnder([0.7])).toBe(0.7);
  });
});

describe('the pixels changed', () => {
  it('grow by the step, the last one cut short', () => {
    expect(changedPixels(10, 4)).toEqual([0, 4, 8, 10]);
    expect(changedPixels(8, 4)).toEqual([0, 4, 8]);
    expect(changedPixels(50176, 224)).toHaveLength(225);
  });

  it('are whole shares, rounded down', () => {
    expect(changedPixels(50176, 0.1)).toEqual([
      0, 5017, 10035, 15052, 20070, 25088, 30105, 35123, 40140, 45158, 50176,
    ]);
    expect(changedPixels(30, 0.1)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30]);
    expect(changedPixels(100, 0.05)).toHaveLength(21);
    expect(changedPixels(10, 0.3)).toEqual([0, 3, 6, 9, 10]);
  });
});

describe('the order of the pixels', () => {
  it('keeps equal values in the order of their index', () => {
    expect([...pixelOrder([1, 3, 1, 3, 2])]).toEqual([1, 3, 4, 0, 2]);
    expect([...pixelOrder(new Float32Array(5))]).toEqual([0, 1, 2, 3, 4]);
    expect([...pixelOrder([0, -0, 0])]).toEqual([0, 1, 2]);
  });

  it('is inverted by the ranks', () => {
    expect([...ranksOf([1, 3, 4, 0, 2], 5)]).toEqual([3, 0, 4, 1, 2]);
  });
});

describe('deletion', () => {
  it('of the perfect map falls to 0 over the region and stays there', async () => {
    const { value, curve } = await deletion.score({
      model,
      input,
      target,
      map: perfect,
      options: { step: 5 },
    });
    expect(value).toBeCloseTo(R / (2 * H * W), 6); // a triangle of width R / HW and height 1
    expect(curve?.y.slice(0, 6).map((y) => Math.round(1000 * y) / 1000)).toEqual([
      1, 0.75, 0.5, 0.25, 0, 0,
    ]);
    expect(curve?.x.slice(0, 3)).toEqual([0, 5 / 120, 10 / 120]);
    expect(curve?.x).toHaveLength((H * W) / 5 + 1);
    expect(curve?.x.at(-1)).toBe(1);
  });

  it('is bounded by the perfect and the inverted map', async () => {
    const score = async (map: typeof perfect) =>
      (await deletion.score({ model, input, target, map, options: { step: 1 } })).value as number;
    const [best, worst] = [await score(perfect), await score(inverted)];
    expect(best).toBeCloseTo(R / (2 * H * W), 6);
    expect(worst).toBeCloseTo(1 - R / (2 * H * W), 6);
    const others = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => score(randomMap(seed))),
    );
    for (const other of others) {
      expect(other).toBeGreaterThan(best);
      expect(other).toBeLessThan(worst);
    }
    expect(others.reduce((sum, x) => sum + x, 0) / others.length).toBeCloseTo(0.5, 1);
  });

  it('sees no difference between maps of the same order', async () => {
    const map = randomMap(3);
    const squeezed = tensor(
      [H, W],
      map.data.map((x) => 5 * x - 100),
    );
    const [a, b] = await Promise.all(
      [map, squeezed].map((m) =>
        deletion.score({ model, input, target, map: m, options: { step: 7 } }),
      ),
    );
    expect(a.curve).toEqual(b.curve);
  });

  it('takes a constant map row by row', async () => {
    const { curve } = await deletion.score({
      model,
      input,
      target,
      map: tensor([H, W]),
      options: { step: W },
    });
    expect(curve?.y.map((y) => Math.round(100 * y))).toEqual([
      100, 100, 100, 75, 50, 25, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  it('replays a given order, whatever the map says', async () => {
    const order = pixelOrder(perfect.data);
    const { value } = await deletion.score({
      model,
      input,
      target,
      map: inverted,
      order,
      options: { step: 5 },
    });
    expect(value).toBeCloseTo(R / (2 * H * W), 6);
  });

  it('counts a last step that is cut short as a whole one', async () => {
    const { value, curve } = await deletion.score({
      model,
      input,
      target,
      map: perfect,
      options: { step: 50 },
    });
    expect(curve?.x).toEqual([0, 50 / 120, 100 / 120, 1]);
    expect(value).toBeCloseTo(1 / 2 / 3, 6);
    const whole = await deletion.score({ model, input, target, map: perfect });
    expect(whole.curve).toEqual({ x: [0, 1], y: [1, 0] });
    expect(whole.value).toBe(0.5);
    expect(whole.preset).toBe('rise-2018');
  });

  it('does not depend on the batch size and reports its progress', async () => {
    const shares: number[] = [];
    const scoreWith = (batchSize: number) =>
      deletion.score({
        model,
        input,
        target,
        map: randomMap(1),
        batchSize,
        onProgress: (share) => shares.push(share),
        options: { step: 10 },
      });
    expect(await scoreWith(1)).toEqual(await scoreWith(100));
    expect(shares.at(-1)).toBe(1);
  });

  it('scores the class it is asked for, hidden by the colour it is told', async () => {
    const other = await deletion.score({
      model,
      input,
      target: { index: 1 },
      map: perfect,
      options: { step: 5 },
    });
    expect(other.value).toBeCloseTo(1 - R / (2 * H * W), 6);
    const mean = await deletion.score({
      model,
      input,
      target,
      map: perfect,
      options: { step: 5, baseline: 'mean' },
    });
    expect(mean.value).toBeCloseTo(1, 6); // a picture of one colour does not change
    expect(mean.preset).toBe('custom');
  });
});

describe('the presets of other libraries', () => {
  it('take 10 and 20 steps from and to zeros', async () => {
    const area = (n: number) => {
      // The region is gone after R of H·W pixels: a falling line sampled n times.
      const y = Array.from({ length: n + 1 }, (_, i) =>
        Math.max(0, 1 - Math.floor((i * H * W) / n) / R),
      );
      return areaUnder(y);
    };
    const score = { model, input, target, map: perfect };
    const torchCam = await deletion.score({ ...score, preset: 'torch-cam' });
    expect(torchCam.value).toBeCloseTo(area(20), 6);
    expect(torchCam).toMatchObject({
      preset: 'torch-cam',
      options: { step: 0.05, baseline: 'zero', score: 'probability' },
    });
    expect((await insertion.score({ ...score, preset: 'torch-cam' })).value).toBeCloseTo(
      1 - area(20),
      6,
    );
    const xplique = await deletion.score({
      ...score,
      preset: 'xplique',
      options: { score: 'probability' },
    });
    expect(xplique.value).toBeCloseTo(area(10), 6);
    await expect(insertion.score({ ...score, preset: 'xplique' })).rejects.toThrow(
      'its logits are unknown',
    );
  });
});

describe('insertion', () => {
  it('of the perfect map rises over the region and stays there', async () => {
    const options = { step: 5, baseline: 'zero' };
    const { value, curve } = await insertion.score({ model, input, target, map: perfect, options });
    expect(value).toBeCloseTo(1 - R / (2 * H * W), 6);
    expect(curve?.y[0]).toBe(0);
    expect(curve?.y.at(-1)).toBeCloseTo(1, 6);
    expect(
      (await insertion.score({ model, input, target, map: inverted, options })).value,
    ).toBeCloseTo(R / (2 * H * W), 6);
  });

  it('is 1 - deletion of the reversed order, for the same baseline', async () => {
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

  it("starts from RISE's blur of the normalised input", async () => {
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
});
