import { describe, expect, it } from 'vitest';
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
  W,
} from './fixtures/region-scene.ts';
import { areaUnder } from './shared/perturbation-curve.ts';
import { pixelOrder } from './shared/ranks.ts';

const { target } = context;

describe('deletion', () => {
  it('falls to 0 over the region for the perfect map, and stays there', async () => {
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

  it('lies between the scores of the perfect and the inverted map', async () => {
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

  it('is equal for maps with the same order of pixels', async () => {
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

  it('deletes a constant map row by row', async () => {
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

  it('uses a given order in place of the order of the map', async () => {
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

  it('counts a shorter last step as a full step', async () => {
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

  it('does not depend on the batch size, and reports its progress', async () => {
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

  it('scores the target class, and hides pixels by the given baseline', async () => {
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
    expect(mean.value).toBeCloseTo(1, 6); // a picture of one color does not change
    expect(mean.preset).toBe('custom');
  });

  it('has the presets of other libraries, with 20 and 10 steps to zeros', async () => {
    const area = (n: number) => {
      // The region is hidden after R of H·W pixels: a falling line, sampled n times.
      const y = Array.from({ length: n + 1 }, (_, i) =>
        Math.max(0, 1 - Math.floor((i * H * W) / n) / R),
      );
      return areaUnder(y);
    };
    const score = { ...context, map: perfect };
    const torchCam = await deletion.score({ ...score, preset: 'torch-cam' });
    expect(torchCam.value).toBeCloseTo(area(20), 6);
    expect(torchCam).toMatchObject({
      preset: 'torch-cam',
      options: { step: 0.05, baseline: 'zero', score: 'probability' },
    });
    const options = { score: 'probability' } as const;
    const xplique = await deletion.score({ ...score, preset: 'xplique', options });
    expect(xplique.value).toBeCloseTo(area(10), 6);
  });
});
