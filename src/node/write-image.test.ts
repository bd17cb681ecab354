import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { image } from '../image/image.ts';
import { createRandom } from '../tensor/random.ts';
import { readImage } from './read-image.ts';
import { encodePng, losslessWebpSize } from './write-image.ts';

const noise = (length: number) => Uint8Array.from({ length }, (_, i) => (i * i * 31 + i * 7) >> 3);

describe('encodePng', () => {
  it('keeps every pixel of an image', async () => {
    const picture = image(31, 17, noise(31 * 17 * 3));
    expect(await readImage(await encodePng(picture))).toEqual(picture);
  });

  it.each([1, 2, 3, 4] as const)('keeps %i channels and their values', async (channels) => {
    const data = noise(13 * 9 * channels);
    const png = await encodePng({ width: 13, height: 9, data, channels });
    const { channels: kept, depth, format } = await sharp(png).metadata();
    expect({ kept, depth, format }).toEqual({ kept: channels, depth: 'uchar', format: 'png' });
    const rgba = await sharp(png).ensureAlpha().toColourspace('srgb').raw().toBuffer();
    const wanted = Array.from({ length: 13 * 9 }, (_, i) => {
      const [...samples] = data.subarray(i * channels, (i + 1) * channels);
      const alpha = channels % 2 === 0 ? samples.pop() : 255;
      return channels < 3 ? [samples[0], samples[0], samples[0], alpha] : [...samples, alpha];
    });
    expect([...rgba]).toEqual(wanted.flat());
  });

  it('returns the same bytes every time, as a plain Uint8Array', async () => {
    const picture = image(64, 64, noise(64 * 64 * 3));
    const [first, second] = await Promise.all([encodePng(picture), encodePng(picture)]);
    expect(first).toEqual(second);
    expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype);
  });

  it('writes no text, time or other metadata', async () => {
    const png = Buffer.from(await encodePng(image(3, 2, noise(18))));
    const kinds: string[] = [];
    for (let at = 8; at < png.length; at += png.readUInt32BE(at) + 12)
      kinds.push(png.toString('latin1', at + 4, at + 8));
    expect(kinds.filter((kind) => !['IHDR', 'IDAT', 'IEND', 'pHYs'].includes(kind))).toEqual([]);
  });

  it('refuses data that does not fit the size', async () => {
    await expect(
      encodePng({ width: 2, height: 2, data: new Uint8Array(12), channels: 4 }),
    ).rejects.toThrow(/needs sides above 0 and 16 bytes, got 12/);
    await expect(encodePng({ width: 0, height: 2, data: new Uint8Array(0) })).rejects.toThrow(
      /sides above 0/,
    );
  });
});

describe('losslessWebpSize', () => {
  it('grows with the information in the picture', async () => {
    const flat = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(9) };
    const random = createRandom(1);
    const noise = { ...flat, data: flat.data.map(() => random.integer(256)) };
    const [least, most] = [await losslessWebpSize(flat), await losslessWebpSize(noise)];
    expect(least).toBeLessThan(100);
    expect(most).toBeGreaterThan(64 * 64 * 3); // noise does not shrink
  });

  it('refuses data that does not fit', async () => {
    await expect(
      losslessWebpSize({ width: 2, height: 2, data: new Uint8Array(5) }),
    ).rejects.toThrow('needs sides above 0 and 12 bytes, got 5');
  });
});
