import { FoveaError } from '../errors.ts';
import { loadSharp } from './sharp.ts';

/** Interleaved 8-bit samples, rows from the top; an `Image` is one of three channels. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
  /** 1 grey, 2 grey and alpha, 3 RGB (if not given), 4 RGBA; alpha is not premultiplied. */
  readonly channels?: 1 | 2 | 3 | 4;
}

/**
 * The bytes of a PNG file with exactly these pixels, 8 bits per sample (lossless; no palette, no
 * metadata, no time). The same pixels give the same bytes with the same version of sharp on the
 * same kind of processor.
 * @throws FoveaError `usage` if the data does not fit the size.
 */
export async function encodePng({
  width,
  height,
  data,
  channels = 3,
}: Pixels): Promise<Uint8Array> {
  if (!(width > 0 && height > 0) || data.length !== width * height * channels) {
    throw new FoveaError(
      'usage',
      `a PNG of ${width}×${height} with ${channels} channels needs sides above 0 and ` +
        `${width * height * channels} bytes, got ${data.length}`,
    );
  }
  const sharp = await loadSharp();
  const png = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  if (channels < 3) png.toColourspace('b-w');
  const bytes = await png
    .png({ compressionLevel: 6, adaptiveFiltering: true, palette: false })
    .toBuffer();
  return new Uint8Array(bytes); // a plain array, not a Buffer
}

/**
 * The size in bytes of a picture as a lossless WebP file (quality 100, effort 4), a measure of its
 * information for the metrics sic and aic. Other versions of libwebp may differ by a few bytes.
 * @throws FoveaError `usage` if the data does not fit the size.
 */
export async function losslessWebpSize({ width, height, data }: Pixels): Promise<number> {
  if (!(width > 0 && height > 0) || data.length !== width * height * 3) {
    throw new FoveaError(
      'usage',
      `a WebP file of ${width}×${height} needs sides above 0 and ${width * height * 3} ` +
        `bytes, got ${data.length}`,
    );
  }
  const sharp = await loadSharp();
  const webp = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  return (await webp.webp({ lossless: true, quality: 100, effort: 4 }).toBuffer()).length;
}

/** An RGB picture; lossy formats accept only three channels here. */
type RgbPixels = Omit<Pixels, 'channels'>;

/**
 * A picture as a `data:` URI, for pages and drawings that need no other file.
 * @param format - a lossy format
 * @param quality - 1 to 100
 */
export async function pictureUri(
  { width, height, data }: RgbPixels,
  format: 'jpeg' | 'webp',
  quality: number,
): Promise<string> {
  const sharp = await loadSharp();
  const picture = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  const bytes = await picture[format]({ quality }).toBuffer();
  return `data:image/${format};base64,${bytes.toString('base64')}`;
}
