import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { f1 } from './f1.ts';
import { rectangle } from './fixtures/region-model.ts';
import { iou } from './iou.ts';
import { pointingGame } from './pointing-game.ts';

const [H, W] = [20, 30];
const object = rectangle(H, W, [5, 5, 15, 15]); // 100 pixels
const mapOf = (mask: Uint8Array) => tensor([H, W], Float32Array.from(mask));
const empty = new Uint8Array(H * W);

/** A map with one high pixel. */
function peak(y: number, x: number) {
  const map = tensor([H, W]);
  map.data[y * W + x] = 1;
  return map;
}

describe('IoU and F1', () => {
  it('have their closed forms for shifted squares', async () => {
    for (let shift = 0; shift <= 12; shift++) {
      const map = mapOf(rectangle(H, W, [5, 5 + shift, 15, 15 + shift]));
      const both = 10 * Math.max(0, 10 - shift);
      expect((await iou.score({ map, mask: object })).value).toBeCloseTo(both / (200 - both), 12);
      expect((await f1.score({ map, mask: object })).value).toBeCloseTo((2 * both) / 200, 12);
    }
  });

  it('are tied to each other: F1 = 2 IoU / (1 + IoU)', async () => {
    const map = tensor(
      [H, W],
      Float32Array.from({ length: H * W }, (_, i) => Math.sin(i * 12.9898)),
    );
    const [u, f] = [
      (await iou.score({ map, mask: object })).value as number,
      (await f1.score({ map, mask: object })).value as number,
    ];
    expect(f).toBeCloseTo((2 * u) / (1 + u), 12);
  });

  it('are 1 for the perfect, 0 for a disjoint map, and count every pixel that is not 0 as object', async () => {
    const bytes = object.map((value) => 255 * value);
    expect((await iou.score({ map: mapOf(object), mask: bytes })).value).toBe(1);
    expect((await f1.score({ map: mapOf(object), mask: bytes })).value).toBe(1);
    expect((await iou.score({ map: peak(0, 0), mask: object })).value).toBe(0);
    expect((await f1.score({ map: peak(0, 0), mask: object })).value).toBe(0);
  });

  it('of the inverted map see the background only', async () => {
    const map = tensor(
      [H, W],
      Float32Array.from(object, (value) => 7 - 3 * value),
    );
    expect((await iou.score({ map, mask: object })).value).toBe(0);
  });

  it('cut strictly above the share of the range, wherever the range lies', async () => {
    const ramp = tensor(
      [1, 11],
      Float32Array.from({ length: 11 }, (_, i) => 8 * i - 16),
    ); // limit at share 0.5: 24
    const mask = rectangle(1, 11, [0, 6, 1, 11]);
    expect((await iou.score({ map: ramp, mask, options: { threshold: 0.5 } })).value).toBe(1); // the sixth pixel, exactly 24, is not activated
    expect((await iou.score({ map: ramp, mask })).value).toBeCloseTo(5 / 7, 12); // 0.3 of the range: indices 4 … 10
  });

  it('score 0 for a constant map and are bounded at the ends of the threshold', async () => {
    for (const threshold of [0, 0.3, 1]) {
      expect(
        (
          await iou.score({
            map: tensor([H, W], new Float32Array(H * W).fill(0.1)),
            mask: object,
            options: { threshold },
          })
        ).value,
      ).toBe(0);
    }
    expect((await f1.score({ map: tensor([H, W]), mask: object })).value).toBe(0);
    expect(
      (await iou.score({ map: mapOf(object), mask: object, options: { threshold: 1 } })).value,
    ).toBe(0); // nothing lies above the maximum
    expect(
      (await iou.score({ map: mapOf(object), mask: object, options: { threshold: 0 } })).value,
    ).toBe(1);
  });
});

describe('the pointing game', () => {
  it('hits where the highest pixel lies on the object', async () => {
    expect((await pointingGame.score({ map: peak(5, 5), mask: object })).value).toBe(1);
    expect((await pointingGame.score({ map: peak(14, 14), mask: object })).value).toBe(1);
    expect((await pointingGame.score({ map: peak(15, 14), mask: object })).value).toBe(0);
    expect(
      (
        await pointingGame.score({
          map: tensor(
            [H, W],
            peak(5, 5).data.map((x) => -x),
          ),
          mask: object,
        })
      ).value,
    ).toBe(0);
  });

  it('takes the first of several highest pixels', async () => {
    const both = peak(10, 10);
    both.data[4 * W + 10] = 1;
    expect((await pointingGame.score({ map: both, mask: object })).value).toBe(0);
    both.data[4 * W + 10] = 0.5;
    expect((await pointingGame.score({ map: both, mask: object })).value).toBe(1);
  });

  it('points at the top left corner for a constant map', async () => {
    expect((await pointingGame.score({ map: tensor([H, W]), mask: object })).value).toBe(0);
    expect(
      (await pointingGame.score({ map: tensor([H, W]), mask: rectangle(H, W, [0, 0, 1, 1]) }))
        .value,
    ).toBe(1);
  });

  it('has a strict, round tolerance', async () => {
    const at = async (y: number, x: number, tolerance: number) =>
      (await pointingGame.score({ map: peak(y, x), mask: object, options: { tolerance } })).value;
    expect(await at(10, 17, 3)).toBe(0); // distance 3 from column 14
    expect(await at(10, 17, 3.01)).toBe(1);
    expect(await at(10, 16, 3)).toBe(1);
    expect(await at(17, 18, 5)).toBe(0); // 3, 4 from the corner: 5
    expect(await at(16, 18, 5)).toBe(1);
    expect(await at(10, 15, 0)).toBe(0);
    expect(await at(19, 29, 1)).toBe(0);
  });

  it("reaches 14 pixels with TorchRay's preset", async () => {
    const score = async (x: number) =>
      (await pointingGame.score({ map: peak(10, x), mask: object, preset: 'torchray' })).value;
    expect(await score(28)).toBe(1);
    expect(await score(29)).toBe(0);
  });
});

describe('a picture without object', () => {
  it('has no value, and a reason', async () => {
    for (const metric of [iou, f1, pointingGame]) {
      expect(await metric.score({ map: peak(1, 1), mask: empty })).toMatchObject({
        value: null,
        reason: 'the mask has no object pixel',
      });
    }
  });

  it('is told from one that is all object', async () => {
    const full = empty.map(() => 1);
    expect((await pointingGame.score({ map: peak(1, 1), mask: full })).value).toBe(1);
    expect((await iou.score({ map: peak(1, 1), mask: full })).value).toBeCloseTo(1 / (H * W), 12);
  });
});
