import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { type Image, image } from './image.ts';
import { type InterpolateMode, interpolate } from './interpolate.ts';
import { centerCrop, type ResizeFilter, resizeImage, resizeShorterSide } from './resize.ts';

interface Pixels {
  width: number;
  height: number;
  rgb: string;
}

interface Maps {
  shape: number[];
  values: string;
}

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8'));
const bytes = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'));
const toImage = ({ width, height, rgb }: Pixels) => image(width, height, bytes(rgb));
const toTensor = ({ shape, values }: Maps) => tensor(shape, new Float32Array(bytes(values).buffer));

function expectSame(actual: Image, expected: Image): void {
  expect([actual.width, actual.height]).toEqual([expected.width, expected.height]);
  expect(actual.data).toBeAllClose(expected.data, { rtol: 0, atol: 0 });
}

describe('resizeImage', () => {
  const recorded = load('resize.json');
  const source = toImage(recorded.source);
  const cases = recorded.resize as (Pixels & {
    filter: ResizeFilter;
    box?: [number, number, number, number];
  })[];

  it.each(
    cases.map(
      (c) => [c.filter, `${c.width}×${c.height}`, c.box ? 'of a box' : 'of all', c] as const,
    ),
  )('equals Pillow bit by bit: %s to %s %s', (filter, _size, _region, c) => {
    expectSame(resizeImage(source, c.width, c.height, { filter, box: c.box }), toImage(c));
  });

  it('covers every filter, and each gives another result', () => {
    const results = new Set(cases.filter((c) => c.width === 17).map((c) => c.rgb));
    expect(results.size).toBe(6);
  });

  it.each(['box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const)(
    'keeps a constant image constant: %s',
    (filter) => {
      const grey = image(13, 9, new Uint8Array(13 * 9 * 3).fill(201));
      for (const [w, h] of [
        [4, 3],
        [40, 30],
        [1, 1],
      ]) {
        expect(new Set(resizeImage(grey, w, h, { filter }).data)).toEqual(new Set([201]));
      }
    },
  );

  it('uses bilinear by default and returns a copy at the same size', () => {
    expectSame(resizeImage(source, 17, 31), resizeImage(source, 17, 31, { filter: 'bilinear' }));
    const same = resizeImage(source, source.width, source.height, { filter: 'lanczos' });
    expectSame(same, source);
    expect(same.data.buffer).not.toBe(source.data.buffer);
  });

  it('copies the pixels of a Buffer, although its slice() would share them', () => {
    const pixels = Buffer.from([1, 2, 3]);
    const copy = resizeImage(image(1, 1, pixels), 1, 1);
    pixels[0] = 99;
    expect([...copy.data]).toEqual([1, 2, 3]);
  });

  it.each([
    [0, 5],
    [5, -1],
    [2.5, 5],
    [Number.NaN, 5],
  ])('refuses the size %s×%s', (w, h) => {
    expect(() => resizeImage(source, w, h)).toThrow(/whole numbers above 0/);
  });

  it('refuses an unknown filter and a box outside the image', () => {
    expect(() => resizeImage(source, 5, 5, { filter: 'toString' as ResizeFilter })).toThrow(
      /unknown filter 'toString', use one of nearest, box/,
    );
    expect(() => resizeImage(source, 5, 5, { box: [0, 0, 42, 31] })).toThrow(
      /must lie inside the 41×31 image/,
    );
    expect(() => resizeImage(source, 5, 5, { box: [3, 0, 3, 31] })).toThrow(/not be empty/);
  });
});

describe('resizeShorterSide', () => {
  const cases = load('resize.json').shorterSide as {
    from: [number, number];
    size: number;
    to: [number, number];
  }[];

  it.each(cases)(
    'gives the size of torchvision: $from, shorter side $size',
    ({ from, size, to }) => {
      const result = resizeShorterSide(image(from[0], from[1]), size, 'nearest');
      expect([result.width, result.height]).toEqual(to);
    },
  );

  it('resizes as resizeImage does', () => {
    const source = toImage(load('resize.json').source);
    expectSame(
      resizeShorterSide(source, 19, 'bicubic'),
      resizeImage(source, 25, 19, { filter: 'bicubic' }),
    );
  });
});

describe('centerCrop', () => {
  const recorded = load('resize.json');
  const source = toImage(recorded.source);

  it.each((recorded.centerCrop as Pixels[]).map((c) => [`${c.width}×${c.height}`, c] as const))(
    'equals torchvision: %s of 41×31',
    (_size, c) => {
      expectSame(centerCrop(source, c.width, c.height), toImage(c));
    },
  );

  it('refuses an empty size', () => {
    expect(() => centerCrop(source, 0, 3)).toThrow(/whole numbers above 0/);
  });
});

describe('interpolate', () => {
  const recorded = load('interpolate.json');
  const source = toTensor(recorded.source);
  const cases = recorded.cases as (Maps & { mode: InterpolateMode; alignCorners: boolean })[];

  it.each(cases)('equals PyTorch: $mode, alignCorners $alignCorners, to $shape', (c) => {
    const [, height, width] = c.shape;
    const result = interpolate(source, height, width, {
      mode: c.mode,
      alignCorners: c.alignCorners,
    });
    expect(result.shape).toEqual(c.shape);
    expect(result.data).toBeAllClose(toTensor(c).data, {
      rtol: 0,
      atol: c.mode === 'nearest' ? 0 : 2.4e-7,
    }); // one unit in the last place of 2…4
  });

  it('keeps any number of leading axes, including none', () => {
    const plane = tensor([2, 2], Float32Array.of(0, 1, 2, 3));
    expect(interpolate(plane, 3, 3, { alignCorners: true })).toEqual(
      tensor([3, 3], Float32Array.of(0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3)),
    );
    expect(interpolate(tensor([2, 1, 3, 4, 4]), 2, 5).shape).toEqual([2, 1, 3, 2, 5]);
    expect(interpolate(tensor([0, 4, 4]), 2, 5).shape).toEqual([0, 2, 5]);
  });

  it('refuses a tensor without maps, an unknown mode and a wrong size', () => {
    expect(() => interpolate(tensor([4]), 2, 2)).toThrow(/\[\.\.\., h, w\]/);
    expect(() => interpolate(tensor([1, 0, 4]), 2, 2)).toThrow(/above 0/);
    expect(() => interpolate(source, 2, 2, { mode: 'cubic' as InterpolateMode })).toThrow(
      /unknown mode 'cubic'/,
    );
    expect(() => interpolate(source, 2, 0)).toThrow(/whole numbers above 0/);
  });
});
