import { describe, expect, it } from 'vitest';
import { type Image, image } from '../image/image.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING, normalizePixels } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { aic } from './aic.ts';
import { curveLevel } from './levels.ts';
import type { Curve } from './metric.ts';
import { fillFromKnown } from './shared/scattered-fill.ts';
import { sic } from './sic.ts';

const [H, W] = [24, 30];

function pictureOf(value: (x: number, y: number, channel: number) => number): Image {
  const picture = image(W, H);
  picture.data.forEach((_, i) => {
    const pixel = Math.floor(i / 3);
    picture.data[i] = value(pixel % W, Math.floor(pixel / W), i % 3);
  });
  return picture;
}

describe('the interpolation of unknown pixels', () => {
  const random = createRandom(1);
  const some = Uint8Array.from({ length: H * W }, () => (random.uniform() < 0.05 ? 1 : 0));

  it('is exact for a plane, whatever is known', () => {
    const plane = pictureOf((x, y, c) => 2 * x + 3 * y + 10 * c);
    expect(fillFromKnown(plane, some)).toEqual(plane);
    expect(fillFromKnown(plane, new Uint8Array(H * W))).toEqual(plane); // from the corners alone
    expect(fillFromKnown(plane, new Uint8Array(H * W).fill(1))).toEqual(plane);
  });

  it('keeps what is known, and stays within the values of the triangle', () => {
    const noise = pictureOf(() => random.integer(256));
    const filled = fillFromKnown(noise, some);
    some.forEach((known, i) => {
      if (known)
        expect(filled.data.subarray(3 * i, 3 * i + 3)).toEqual(
          noise.data.subarray(3 * i, 3 * i + 3),
        );
    });
    const flat = pictureOf((x) => (x < 15 ? 40 : 200));
    for (const value of fillFromKnown(flat, some).data)
      expect(value >= 40 && value <= 200).toBe(true);
  });

  it('takes the value between the neighbours, ties to even, on a line', () => {
    const line = {
      width: 5,
      height: 2,
      data: Uint8Array.from({ length: 30 }, (_, i) => (Math.floor(i / 3) % 5 === 4 ? 6 : 0)),
    };
    const filled = fillFromKnown(line, new Uint8Array(10));
    expect([0, 1, 2, 3, 4].map((x) => filled.data[3 * x])).toEqual([0, 2, 3, 4, 6]); // 1.5 -> 2, 4.5 -> 4
  });

  it('takes the mean colour where there is no triangle', () => {
    const row = {
      width: 4,
      height: 1,
      data: Uint8Array.from({ length: 12 }, (_, i) => Math.floor(i / 3)),
    };
    expect([...fillFromKnown(row, new Uint8Array(4)).data.filter((_, i) => i % 3 === 0)]).toEqual([
      0, 2, 2, 3,
    ]); // mean 1.5
  });
});

/**
 * A classifier whose probability is the share of the square's pixels that are as bright as in the
 * picture (255); the square is a chessboard, so that no interpolation brings it back.
 */
const inside = (x: number, y: number) => x >= 10 && x < 20 && y >= 8 && y < 16; // 80 of 720 pixels
const bright = (x: number, y: number) => inside(x, y) && (x + y) % 2 === 0;
const model = createFunctionModel({
  name: 'chessboard',
  labels: ['board', 'other'],
  preprocessing: { ...IMAGENET_PREPROCESSING, size: [H, W] },
  output: 'probabilities',
  classify: async (batch) => {
    const scores = Float32Array.from({ length: batch.shape[0] }, (_, n) => {
      let seen = 0;
      for (let i = 0; i < H * W; i++)
        if (bright(i % W, Math.floor(i / W)) && batch.data[n * 3 * H * W + i] > 2.2) seen++;
      return seen / 40;
    });
    return tensor([batch.shape[0], 2], Float32Array.from([...scores].flatMap((p) => [p, 1 - p])));
  },
});
const board = pictureOf((x, y) => (bright(x, y) ? 255 : 0));
const input = normalizePixels(board, model.preprocessing);
const mapOf = (value: (x: number, y: number) => number): Tensor =>
  tensor(
    [H, W],
    Float32Array.from({ length: H * W }, (_, i) => value(i % W, Math.floor(i / W))),
  );
/** Counts what a board costs: its bright pixels. */
const losslessSize = async ({ data }: Image) =>
  data.reduce((sum, value) => sum + (value === 255 ? 1 : 0), 0);
const context = { model, input, target: { index: 0 }, losslessSize };
/** No random pixels: the corners alone, a black picture. */
const options = { known: 0 };
const perfect = mapOf((x, y) => (inside(x, y) ? 1000 - x - 30 * y : -x - y));

describe('SIC and AIC', () => {
  it('of a model whose score is the information itself lie on the diagonal', async () => {
    const { value, curve } = await sic.score({ ...context, map: perfect, options });
    expect(value).toBeCloseTo(0.5, 6);
    expect(curve?.x).toHaveLength(1001);
    expect(curve?.y).toBeAllClose((curve as { x: readonly number[] }).x, { atol: 5e-7 });
  });

  it('are bounded by what a map can show for its information', async () => {
    // The background is noise and costs information too: the object first pays, the object last
    // does not.
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

  it('AIC jumps where the class becomes the first', async () => {
    const { value, curve } = await aic.score({ ...context, map: perfect, options });
    const { x, y } = curve as Curve;
    // 0.05 of 720 pixels show 18 bright ones of 40, 0.07 show 25 or 26: the accuracy is 1 from there on.
    const jump = x.filter((_, i) => y[i] < 1).length / 1000;
    expect(jump).toBeGreaterThan(18 / 40);
    expect(jump).toBeLessThan(27 / 40);
    expect(value).toBeGreaterThan(1 - 26 / 40);
    expect(value).toBeLessThan(1 - 18 / 40 + 0.01);
  });

  it('leave pictures out that cannot be scored, and say why', async () => {
    const reason = async (change: object, metric = sic) =>
      (await metric.score({ ...context, map: perfect, options, ...change })).reason;
    expect(await reason({ losslessSize: async () => 5 })).toContain('no less information');
    expect(
      await reason({
        input: normalizePixels(
          pictureOf(() => 0),
          model.preprocessing,
        ),
      }),
    ).toContain('0.000, is below 0.8');
    expect(await reason({ target: { index: 1 } }, aic)).toContain('0.000, is below 0.8');
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

  it('of one map look at their pictures once, and say what they say alone', async () => {
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

  it('draw the known pixels from the seed, whatever the batch size', async () => {
    const score = (more: object) =>
      sic.score({ ...context, map: perfect, options: { known: 0.05 }, ...more });
    expect(await score({ batchSize: 1 })).toEqual(await score({ batchSize: 20 }));
    expect((await score({ seed: 1 })).curve).not.toEqual((await score({ seed: 2 })).curve);
  });
});

describe('the median of curves', () => {
  const score = (...y: number[]) => ({ value: 0.5, curve: { x: [0, 0.5, 1], y } });

  it('is taken point by point, then integrated', () => {
    const scores = [score(0, 1, 1), score(0, 0.2, 1), score(0, 0.4, 1), { value: null }];
    expect(curveLevel(scores)).toEqual({
      value: expect.closeTo((0.2 + 0.7) / 2, 12),
      count: 3,
      excluded: 1,
      curve: { x: [0, 0.5, 1], y: [0, 0.4, 1] },
    });
    expect(curveLevel(scores.slice(0, 2)).curve?.y[1]).toBeCloseTo(0.6, 12);
    expect(curveLevel(scores, 'mean').curve?.y[1]).toBeCloseTo(1.6 / 3, 12);
    expect(curveLevel([])).toEqual({ value: null, count: 0, excluded: 0, curve: null });
  });

  it('needs curves of the same points', () => {
    expect(() =>
      curveLevel([score(0, 1, 1), { value: 1, curve: { x: [0, 1], y: [0, 1] } }]),
    ).toThrow('curves of different points');
  });
});
