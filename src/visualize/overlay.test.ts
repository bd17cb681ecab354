import { describe, expect, test } from 'vitest';
import { explain } from '../explain.ts';
import { image } from '../image/image.ts';
import { interpolate } from '../image/interpolate.ts';
import { methods } from '../methods/index.ts';
import { createFunctionModel } from '../model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../model/input/preprocessing.ts';
import { createRandom } from '../tensor/random.ts';
import { tensor } from '../tensor/tensor.ts';
import { colormap } from './colormap.ts';
import { drawOutline } from './contour.ts';
import { overlay, projectMap } from './overlay.ts';

const noise = (height: number, width: number) => {
  const random = createRandom(5);
  return tensor(
    [height, width],
    Float32Array.from({ length: height * width }, () => random.uniform()),
  );
};
const grey = (width: number, height: number) =>
  image(width, height, new Uint8Array(width * height * 3).fill(100));
const pixel = (picture: { width: number; data: Uint8Array }, x: number, y: number) => [
  ...picture.data.subarray(3 * (y * picture.width + x), 3 * (y * picture.width + x) + 3),
];

describe('projectMap', () => {
  test('equals bilinear interpolation if the map covers the whole picture', () => {
    const map = noise(7, 9);
    const wanted = interpolate(tensor([1, 1, 7, 9], map.data), 20, 31).data;
    const got = projectMap(map, 31, 20).data;
    expect(Math.max(...got.map((value, i) => Math.abs(value - wanted[i])))).toBeLessThan(1e-6);
  });

  test("a map of the picture's size is unchanged", () => {
    const map = noise(12, 10);
    expect(projectMap(map, 10, 12).data).toEqual(map.data);
  });

  test('a centre crop leaves the rest of the picture out', () => {
    const shown = projectMap(tensor([2, 2], Float32Array.of(1, 1, 1, 1)), 8, 4, {
      left: 2,
      top: 0,
      width: 4,
      height: 4,
    });
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 8; x++)
        expect(shown.data[8 * y + x]).toBe(x >= 2 && x < 6 ? 1 : Number.NaN);
    }
  });

  test('a region that reaches beyond the picture is cut', () => {
    const shown = projectMap(tensor([1, 2], Float32Array.of(0, 1)), 4, 2, {
      left: -4,
      top: -1,
      width: 12,
      height: 4,
    });
    expect([...shown.data.subarray(0, 4)].every((value) => value > 0.2 && value < 0.8)).toBe(true);
  });
});

describe('overlay', () => {
  test('a signed map without values below zero is shown from its least value on', () => {
    const map = tensor([2, 2], Float32Array.of(5, 5.1, 5.2, 5.4));
    const less = tensor([2, 2], Float32Array.of(0, 0.1, 0.2, 0.4));
    expect(overlay(grey(2, 2), map, { signed: true }).data).toEqual(
      overlay(grey(2, 2), less, { signed: true }).data,
    );
    const withZero = tensor([2, 2], Float32Array.of(-5, 5.1, 5.2, 5.4));
    expect(overlay(grey(2, 2), withZero, { signed: true }).data).not.toEqual(
      overlay(grey(2, 2), less, { signed: true }).data,
    );
  });

  test("has the picture's size, leaves pixels without saliency alone and colours the peak", () => {
    const map = tensor([1, 4], Float32Array.of(0, 0, 0, 1));
    const result = overlay(grey(4, 1), map, { colormap: 'viridis', alpha: 1 });
    expect([result.width, result.height]).toEqual([4, 1]);
    expect(pixel(result, 0, 0)).toEqual([100, 100, 100]);
    expect(pixel(result, 3, 0)).toEqual([...colormap('viridis').table.subarray(765)]);
  });

  test('a constant map leaves the picture unchanged', () => {
    expect(overlay(grey(4, 2), tensor([2, 2], new Float32Array(4).fill(0.7))).data).toEqual(
      grey(4, 2).data,
    );
  });

  test('a signed map shows both sides, with a sequential color map only the evidence for', () => {
    const map = tensor([1, 3], Float32Array.of(-1, 0, 1));
    const both = overlay(grey(3, 1), map, { signed: true, alpha: 1 });
    expect(pixel(both, 0, 0)).toEqual([...colormap('ice-fire').table.subarray(0, 3)]);
    expect(pixel(both, 1, 0)).toEqual([100, 100, 100]);
    const one = overlay(grey(3, 1), map, { signed: true, alpha: 1, colormap: 'jet' });
    expect(pixel(one, 0, 0)).toEqual([100, 100, 100]);
    expect(pixel(one, 2, 0)).toEqual([128, 0, 0]);
  });

  test('options out of range are usage errors', () => {
    expect(() => overlay(grey(2, 2), noise(2, 2), { alpha: 2 })).toThrow('alpha 2');
    expect(() => overlay(grey(2, 2), noise(2, 2), { percentiles: [50, 50] })).toThrow(
      'percentiles',
    );
    expect(() => overlay(grey(2, 2), tensor([1, 2, 2]))).toThrow('map [height, width]');
  });
});

describe('drawOutline', () => {
  test('draws around the mask, not on it', () => {
    const mask = new Uint8Array(49);
    mask[24] = 1;
    const result = drawOutline(grey(7, 7), mask, { thickness: 1 });
    expect(pixel(result, 3, 3)).toEqual([100, 100, 100]);
    expect(pixel(result, 2, 3)).toEqual([255, 255, 255]);
    expect(pixel(result, 1, 3)).toEqual([0, 0, 0]);
    expect(pixel(result, 0, 3)).toEqual([100, 100, 100]);
  });
});

describe('overlay of an explanation', () => {
  const preprocessing = { ...IMAGENET_PREPROCESSING, size: [8, 8] as const, shorterSide: 8 };
  // The score of the class is the brightness of the left half of what the model sees.
  const model = createFunctionModel({
    name: 'left',
    labels: ['left', 'other'],
    preprocessing: { ...preprocessing, resize: 'crop' },
    output: 'logits',
    classify: async ({ shape: [rows = 0], data }) => {
      const values = Float32Array.from({ length: rows }, (_, row) => {
        let sum = 0;
        for (let i = 0; i < 64; i++) if (i % 8 < 4) sum += data[row * 192 + i];
        return sum;
      });
      return tensor([rows, 2], Float32Array.from([...values].flatMap((value) => [value, 0])));
    },
  });

  test.each([
    ['occlusion', { window: 2, stride: 2 }, true],
    ['rise', { N: 40, s: 2 }, false],
  ])(
    'of %s lies where the model looked and has the colors of its sign',
    async (name, options, signed) => {
      const picture = grey(24, 12);
      const made = await explain(model, picture, { method: methods.get(name), options, target: 0 });
      expect(made.signed).toBe(signed);
      expect(made.manifest.signed).toBe(signed);
      const region = { left: 6, top: 0, width: 12, height: 12 };
      expect(made.manifest.image.region).toEqual(region);
      expect(overlay(picture, made)).toEqual(overlay(picture, made.map, { region, signed }));
      expect(overlay(picture, made, { signed: !signed, region: undefined })).toEqual(
        overlay(picture, made.map, { region, signed: !signed }),
      );
      const half = { left: 3, top: 0, width: 6, height: 6 };
      expect(overlay(grey(12, 6), made)).toEqual(
        overlay(grey(12, 6), made.map, { region: half, signed }),
      );
    },
  );

  test('of a tensor covers the picture of the tensor', async () => {
    const input = tensor(
      [1, 3, 8, 8],
      Float32Array.from({ length: 192 }, (_, i) => i % 5),
    );
    const made = await explain(model, input, { method: methods.get('occlusion'), target: 0 });
    expect(made.manifest.image.region).toEqual({ left: 0, top: 0, width: 8, height: 8 });
  });

  test.each([
    [
      'cat.jpg',
      /^expected a picture with 3 bytes per pixel .* got "cat\.jpg": pass what readImage/,
    ],
    [{ width: 2, height: 2, data: new Uint8Array(16) }, /got 16 bytes for 2×2: /],
    [new Map(), /got Map: /],
    [undefined, /got undefined: /],
  ])('is refused for %j in one sentence', async (source, sentence) => {
    await expect(explain(model, source as never, { method: methods.get('rise') })).rejects.toThrow(
      sentence as RegExp,
    );
  });
});
