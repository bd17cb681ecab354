import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import type { Image } from '../image/image.ts';
import { readImage, readImageSize } from './read-image.ts';

interface Pixels {
  width: number;
  height: number;
  rgb: string;
}

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
const expected: Record<string, Pixels> = JSON.parse(
  await readFile(fixture('expected.json'), 'utf8'),
);

/** A picture is the recorded one, up to a difference of `atol` in each value. */
function expectPixels(picture: Image, { width, height, rgb }: Pixels, atol = 0): void {
  expect([picture.width, picture.height]).toEqual([width, height]);
  expect(picture.data).toBeAllClose(Buffer.from(rgb, 'base64'), { rtol: 0, atol });
}

/** The message of the FoveaError that reading throws, checked to be one sentence under the code. */
async function messageOfReading(
  source: string | Uint8Array,
  options = {},
  code = 'image',
): Promise<string> {
  const error = await readImage(source, options).then(
    () => expect.fail('the picture was read'),
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(FoveaError);
  expect((error as FoveaError).code).toBe(code);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-read-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('readImage', () => {
  it.each(Object.keys(expected).filter((name) => !name.includes(' ')))(
    'reads the pixels that Pillow reads: %s',
    async (name) => {
      expectPixels(await readImage(fixture(name)), expected[name]);
    },
  );

  it('composites transparent pixels on the given background', async () => {
    const picture = await readImage(fixture('rgba.png'), { background: [10, 200, 77] });
    expectPixels(picture, expected['rgba.png on 10,200,77']);
  });

  it('reads bytes as it reads a path, and leaves them unchanged', async () => {
    const bytes = new Uint8Array(await readFile(fixture('colour-420.jpg')));
    const before = bytes.slice();
    expect(await readImage(bytes)).toEqual(await readImage(fixture('colour-420.jpg')));
    expect(bytes).toEqual(before);
  });

  it('ignores an embedded profile that would change the colours', async () => {
    const applied = await sharp(fixture('profile.jpg')).raw().toBuffer();
    const { width, height } = expected['profile.jpg'];
    expect(() =>
      expectPixels({ width, height, data: applied }, expected['profile.jpg'], 20),
    ).toThrow(); // the fixture has a profile that matters
    expectPixels(await readImage(fixture('profile.jpg')), expected['profile.jpg']);
  });

  it('reads AVIF', async () => {
    const { width, height, rgb } = expected['rgb16.png'];
    const avif = await sharp(Buffer.from(rgb, 'base64'), { raw: { width, height, channels: 3 } })
      .avif({ lossless: true })
      .toBuffer();
    expectPixels(await readImage(avif), expected['rgb16.png'], 2); // AVIF keeps YCbCr
    expect((await readImageSize(avif)).format).toBe('avif');
  });

  it('recognizes the format by content, not by name', async () => {
    const path = join(folder, 'really-a-png.jpg');
    await writeFile(path, await readFile(fixture('rgb16.png')));
    expectPixels(await readImage(path), expected['rgb16.png']);
  });

  it('reads a JPEG with stray bytes between its markers, as other decoders do', async () => {
    const bytes = await readFile(fixture('colour-420.jpg'));
    const tables = bytes.indexOf(Buffer.from([0xff, 0xc4])); // the Huffman tables
    const stray = Buffer.concat([
      bytes.subarray(0, tables),
      Buffer.from([1, 2, 3]),
      bytes.subarray(tables),
    ]);
    expectPixels(await readImage(stray), expected['colour-420.jpg']);
  });

  it('returns a plain Uint8Array with its pixels only', async () => {
    const { data } = await readImage(fixture('grey.jpg'));
    expect(Object.getPrototypeOf(data)).toBe(Uint8Array.prototype);
  });
});

describe('readImage refuses', () => {
  it('a missing file, a path through a file, and a directory', async () => {
    expect(await messageOfReading(join(folder, 'none.png'))).toBe(
      `${join(folder, 'none.png')} does not exist`,
    );
    expect(await messageOfReading(join(fixture('grey.jpg'), 'x.png'))).toMatch(
      /x\.png does not exist$/,
    );
    expect(await messageOfReading(folder)).toBe(`${folder} is a directory, not a picture`);
  });

  it('an empty file and a text that is named .png', async () => {
    await writeFile(join(folder, 'empty.png'), '');
    await writeFile(join(folder, 'text.png'), 'This is not a picture.\n');
    expect(await messageOfReading(join(folder, 'empty.png'))).toMatch(
      /empty\.png is empty \(0 bytes\)$/,
    );
    expect(await messageOfReading(join(folder, 'text.png'))).toMatch(
      /text\.png is not a picture in a known format; JPEG, PNG/,
    );
    expect(await messageOfReading(new Uint8Array(0))).toBe('the picture is empty (0 bytes)');
    expect(await messageOfReading(new Uint8Array(3), { name: 'upload 7' })).toMatch(
      /^upload 7 is not a picture/,
    );
  });

  it.each([
    ['BMP', () => readFile(fixture('refused.bmp'))],
    [
      'SVG',
      () =>
        Buffer.from(
          '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        ),
    ],
    ['SVG', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
    ['PDF', () => Buffer.from('%PDF-1.4\n')],
    ['HEIC', () => Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1')],
  ])('%s, by its name', async (format, make) => {
    expect(await messageOfReading(await make(), { name: 'file' })).toContain(
      `file is a ${format} file, which cannot be read; convert it to PNG`,
    );
  });

  it('floating-point samples instead of showing black', async () => {
    expect(await messageOfReading(fixture('float.tif'))).toMatch(/float\.tif has float samples/);
  });

  const whole = [
    'colour-420.jpg',
    'progressive.jpg',
    'palette.png',
    'rgb16.png',
    'cmyk.tif',
    'animated.gif',
    'animated.webp',
    'lossy.webp',
  ];
  it.each(whole.flatMap((name) => [0.05, 0.15, 0.6, 0.9].map((part) => [name, part] as const)))(
    '%s cut off at %d of its length',
    async (name, cutAt) => {
      const bytes = await readFile(fixture(name));
      const part = name.startsWith('animated') ? cutAt / 2.2 : cutAt; // in the first of two frames
      const cut = new Uint8Array(bytes.subarray(0, Math.floor(bytes.length * part)));
      expect(await messageOfReading(cut, { name })).toMatch(
        new RegExp(`^${name} is a damaged or incomplete [A-Z]+ file: [\\w .]+$`),
      );
    },
  );

  it('a cut AVIF', async () => {
    const avif = await sharp({
      create: {
        width: 64,
        height: 48,
        channels: 3,
        background: 'red',
        noise: { type: 'gaussian', mean: 128, sigma: 40 },
      },
    })
      .avif()
      .toBuffer();
    expect(await messageOfReading(avif.subarray(0, avif.length >> 1))).toMatch(
      /damaged or incomplete AVIF file/,
    );
  });

  it('more pixels than maxPixels, from the header alone', async () => {
    const bytes = pngOf(30_000, 30_000);
    const path = join(folder, 'bomb.png');
    await writeFile(path, bytes);
    const before = process.memoryUsage().rss;
    expect(await messageOfReading(path)).toBe(
      `${path} is 30000×30000 = 900000000 pixels, above the limit of 100000000 (make it ` +
        'smaller, or raise maxPixels of readImage)',
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });

  it('by exactly the limit that was given', async () => {
    expect((await readImage(fixture('grey16.png'), { maxPixels: 63 })).width).toBe(9);
    expect(await messageOfReading(fixture('grey16.png'), { maxPixels: 62 })).toMatch(
      /is 9×7 = 63 pixels, above the limit of 62/,
    );
  });

  it('options out of range', async () => {
    expect(await messageOfReading(fixture('grey.jpg'), { maxPixels: Number.NaN }, 'usage')).toMatch(
      /maxPixels must be a number above 0/,
    );
    expect(
      await messageOfReading(fixture('grey.jpg'), { background: [0, 0, 256] }, 'usage'),
    ).toMatch(/background must be three numbers/);
  });
});

describe('readImageSize', () => {
  it('gives the upright size and the format', async () => {
    expect(await readImageSize(fixture('orientation-1.jpg'))).toEqual({
      width: 13,
      height: 10,
      format: 'jpeg',
    });
    expect(await readImageSize(fixture('orientation-6.jpg'))).toEqual({
      width: 10,
      height: 13,
      format: 'jpeg',
    });
    expect(await readImageSize(fixture('animated.gif'))).toEqual({
      width: 29,
      height: 23,
      format: 'gif',
    });
  });
});

/** A PNG file of a few bytes whose header claims this size. */
function pngOf(width: number, height: number): Uint8Array {
  const chunk = (kind: string, body: Buffer) => {
    const typed = Buffer.concat([Buffer.from(kind), body]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(body.length, 0);
    frame.writeUInt32BE(crc32(typed), 4);
    return Buffer.concat([frame.subarray(0, 4), typed, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // 8 bits, RGB
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(100))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
