import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { rectangle } from './fixtures/region-model.ts';
import { itNeedsAnObject } from './fixtures/segmentation.ts';
import { empty, H, mapOf, object, peak, W } from './fixtures/squares.ts';
import { pointingGame } from './pointing-game.ts';

const score = async (map: ReturnType<typeof peak>, mask = object, more = {}) =>
  (await pointingGame.score({ map, mask, ...more })).value;

describe('the pointing game', () => {
  it('hits if the highest pixel lies on the object', async () => {
    expect(await score(peak(5, 5))).toBe(1);
    expect(await score(peak(14, 14))).toBe(1);
    expect(await score(peak(15, 14))).toBe(0);
    expect(await score(mapOf(peak(15, 14).data.map((x) => -x)))).toBeCloseTo(100 / 599, 12);
    expect(
      await score(
        peak(1, 1),
        empty.map(() => 1),
      ),
    ).toBe(1);
    expect(
      await score(mapOf(object), object, { void: object.map((v, i) => (i % 2 ? v : 0)) }),
    ).toBe(0.5);
  });

  it('is the share of hits if several pixels are highest', async () => {
    const map = peak(10, 10);
    map.data[4 * W + 10] = 1;
    expect(await score(map)).toBe(1 / 2);
    map.data[19 * W + 29] = 1;
    expect(await score(map)).toBeCloseTo(1 / 3, 12);
    map.data[10 * W + 10] = 0.5;
    expect(await score(map)).toBe(0);
  });

  it('is the share of the picture that counts as a hit for a constant map', async () => {
    expect(await score(tensor([H, W]))).toBeCloseTo(100 / 600, 12);
    expect(await score(tensor([H, W]), rectangle(H, W, [0, 0, 1, 1]))).toBeCloseTo(1 / 600, 12);
    // The pixels at less than 1.5 pixels are the square and its border, with the corners.
    expect(await score(tensor([H, W]), object, { options: { tolerance: 1.5 } })).toBeCloseTo(
      144 / 600,
      12,
    );
  });

  it('has a strict, circular tolerance', async () => {
    const at = (y: number, x: number, tolerance: number) =>
      score(peak(y, x), object, { options: { tolerance } });
    expect(await at(10, 17, 3)).toBe(0); // distance 3 from column 14
    expect(await at(10, 17, 3.01)).toBe(1);
    expect(await at(10, 16, 3)).toBe(1);
    expect(await at(17, 18, 5)).toBe(0); // 3, 4 from the corner: 5
    expect(await at(16, 18, 5)).toBe(1);
    expect(await at(10, 15, 0)).toBe(0);
    expect(await at(19, 29, 1)).toBe(0);
  });

  it("accepts a distance of 14 pixels with TorchRay's preset", async () => {
    expect(await score(peak(10, 28), object, { preset: 'torchray' })).toBe(1);
    expect(await score(peak(10, 29), object, { preset: 'torchray' })).toBe(0);
  });

  it('does not count a void pixel as a hit', async () => {
    const left = rectangle(H, W, [0, 15, H, W]);
    expect(await score(mapOf(left), object, { void: left })).toBe(0);
  });

  itNeedsAnObject(pointingGame);
});

describe('its energy', () => {
  const map = tensor([1, 4], Float32Array.of(1, -2, 3, 0));
  const mask = Uint8Array.of(1, 1, 0, 0);

  it('is the share of the positive values that lie on the object', async () => {
    const energy = await pointingGame.score({ map, mask, preset: 'energy' });
    expect(energy).toMatchObject({ value: 0.25, preset: 'energy' });
  });

  it('has no value for a map without positive values', async () => {
    expect(await pointingGame.score({ map: tensor([1, 4]), mask, preset: 'energy' })).toMatchObject(
      {
        value: null,
        reason: 'the map has no positive values',
      },
    );
  });
});
