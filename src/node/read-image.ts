import { readFile } from 'node:fs/promises';
import { FoveaError, messageOf } from '../errors.ts';
import { type Image, image } from '../image/image.ts';
import { loadSharp } from './sharp.ts';

/** Options of `readImage` and `readImageSize`. */
export interface ReadImageOptions {
  /** Colour (R, G, B, each 0–255) behind transparent pixels; white if not given. */
  readonly background?: readonly [red: number, green: number, blue: number];
  /** Largest number of pixels (width × height) that is decoded; 100 million if not given. */
  readonly maxPixels?: number;
  /** The name of the picture in messages, if `source` is bytes; `the picture` if not given. */
  readonly name?: string;
}

/** The size of a picture as `readImage` returns it, and its file format. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
  /** `jpeg`, `png`, `webp`, `gif`, `tiff` or `avif`. */
  readonly format: string;
}

/** A picture with an accepted header. */
interface Inspected extends ImageSize {
  readonly bytes: Uint8Array;
  readonly name: string;
  readonly space: string;
}

/** First bytes of each format; a dot means any byte. The text is Latin-1. */
const SIGNATURES: readonly (readonly [format: string, readable: boolean, pattern: RegExp])[] = [
  ['jpeg', true, /^\xff\xd8\xff/],
  ['png', true, /^\x89PNG\r\n\x1a\n/],
  ['gif', true, /^GIF8[79]a/],
  ['webp', true, /^RIFF....WEBP/s],
  ['tiff', true, /^(II[*+]\0|MM\0[*+])/],
  ['avif', true, /^....ftyp(avif|avis|mif1|miaf)/s],
  ['HEIC', false, /^....ftyp(heic|heix|hevc|heim|heis|msf1)/s],
  ['BMP', false, /^BM....\0\0\0\0/s],
  ['SVG', false, /^\s*<(svg|[?!][\s\S]*<svg)/],
  ['PDF', false, /^%PDF/],
  ['PPM', false, /^P[1-7]\s/],
  ['JPEG 2000', false, /^(\0\0\0\x0cjP {2}|\xff\x4f\xff\x51)/],
  ['JPEG XL', false, /^(\xff\x0a|\0\0\0\x0cJXL )/],
];

const READABLE = 'JPEG, PNG, WebP, AVIF, TIFF and GIF';

/** Throws the error for a picture that cannot be read. */
function refuse(name: string, what: string, cause?: unknown): never {
  throw new FoveaError('image', `${name} ${what}`, { cause });
}

async function readBytes(source: string | Uint8Array, name: string): Promise<Uint8Array> {
  if (typeof source !== 'string') return source;
  try {
    return await readFile(source);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') refuse(name, 'does not exist', cause);
    if (code === 'EISDIR') refuse(name, 'is a directory, not a picture', cause);
    if (code === 'EACCES' || code === 'EPERM')
      refuse(name, 'cannot be read: permission denied', cause);
    return refuse(name, `cannot be read: ${messageOf(cause)}`, cause);
  }
}

/** The format, from the first bytes. The decoder gets only the formats of `READABLE`. */
function requireReadable(bytes: Uint8Array, name: string): string {
  if (bytes.length === 0) refuse(name, 'is empty (0 bytes)');
  const start = Buffer.from(bytes.subarray(0, 1024)).toString('latin1');
  const known = SIGNATURES.find(([, , pattern]) => pattern.test(start));
  if (!known) return refuse(name, `is not a picture in a known format; ${READABLE} can be read`);
  const [format, readable] = known;
  if (!readable)
    refuse(
      name,
      `is a ${format} file, which cannot be read; convert it to PNG (${READABLE} can be read)`,
    );
  return format;
}

/**
 * Throws the error for a picture that has the right first bytes but cannot be decoded, with the
 * decoder's reason.
 */
function refuseDamaged(name: string, format: string, cause: unknown): never {
  const [reason = ''] = messageOf(cause).split('\n');
  // "Input buffer has corrupt header: pngload_buffer: libspng read error" -> "libspng read error"
  const said = reason
    .replace(/^Input \w+ (has corrupt header:|contains unsupported image format)/, '')
    .replace(/^(\s*\w+:)+/, '')
    .trim();
  refuse(
    name,
    `is a damaged or incomplete ${format.toUpperCase()} file: ` +
      `${said === '' ? 'its header cannot be read' : said}`,
    cause,
  );
}

/** Reads the header only. It does not allocate memory for the pixels. */
async function inspect(
  source: string | Uint8Array,
  { maxPixels = 100e6, ...options }: ReadImageOptions,
): Promise<Inspected> {
  if (!(maxPixels > 0))
    throw new FoveaError('usage', `maxPixels must be a number above 0, got ${maxPixels}`);
  const name = typeof source === 'string' ? source : (options.name ?? 'the picture');
  const bytes = await readBytes(source, name);
  const format = requireReadable(bytes, name);
  const sharp = await loadSharp();
  const metadata = await sharp(bytes, { failOn: 'error', limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => refuseDamaged(name, format, cause));
  const { width, height } = metadata.autoOrient;
  if (width * height > maxPixels) {
    refuse(
      name,
      `is ${width}×${height} = ${width * height} pixels, above the limit of ${maxPixels} ` +
        '(make it smaller, or raise maxPixels of readImage)',
    );
  }
  if (metadata.depth !== 'uchar' && metadata.depth !== 'ushort') {
    refuse(name, `has ${metadata.depth} samples: expected a picture with 8 or 16 bits per sample`);
  }
  return { width, height, format, bytes, name, space: metadata.space };
}

/**
 * Reads a picture (a path, or the bytes of a file) as 8-bit RGB: JPEG, PNG, WebP, AVIF, TIFF or
 * GIF, recognized by content, not by name. If a file has several frames or pages, the first is
 * read.
 *
 * - EXIF orientation is applied, so the picture is upright.
 * - Transparent pixels are composited on `background` (default white): c = (a · colour + (255 - a)
 * · background) / 255.
 * - Embedded ICC profiles are ignored, and CMYK is converted by the plain formula, as Pillow's
 *   `convert('RGB')` does. The training pictures of most classifiers were read in this way.
 * - 16-bit samples lose their low byte.
 *
 * @throws FoveaError `image`, one sentence with the file's name, if it is missing, a directory,
 * empty, in another format, damaged, cut off, or larger than `maxPixels` (the header is checked
 * before anything is decoded); `usage` for an option out of range.
 */
export async function readImage(
  source: string | Uint8Array,
  options: ReadImageOptions = {},
): Promise<Image> {
  const { background = [255, 255, 255] } = options;
  if (background.length !== 3 || !background.every((value) => value >= 0 && value <= 255)) {
    throw new FoveaError(
      'usage',
      `background must be three numbers from 0 to 255 (red, green, blue), got [${background}]`,
    );
  }
  const picture = await inspect(source, options);
  const sharp = await loadSharp();
  const decoder = sharp(picture.bytes, {
    failOn: 'error',
    ignoreIcc: true,
    autoOrient: true,
    limitInputPixels: false,
  });
  if (picture.space === 'cmyk') decoder.pipelineColourspace('cmyk').toColourspace('cmyk');
  const { data, info } = await decoder
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => refuseDamaged(picture.name, picture.format, cause));
  return image(
    info.width,
    info.height,
    toRgb(data, info.channels, picture.space === 'cmyk', background),
  );
}

/**
 * The size of a picture from its header only, after EXIF orientation.
 * @throws FoveaError as `readImage`; damage after the header is not noticed.
 */
export async function readImageSize(
  source: string | Uint8Array,
  options: ReadImageOptions = {},
): Promise<ImageSize> {
  const { width, height, format } = await inspect(source, options);
  return { width, height, format };
}

/** The samples of a picture as they are in its file. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB; the colours of a palette are RGB. */
  readonly channels: 1 | 3;
  /** Interleaved, rows from the top. */
  readonly data: Uint8Array;
}

/**
 * Reads the samples of a picture, 8 bits each, for masks with numbers or a palette. Orientation and
 * background are not applied, and alpha is removed.
 * @throws FoveaError as `readImage`.
 */
export async function readSamples(path: string): Promise<Samples> {
  const { bytes, name, format } = await inspect(path, {});
  const sharp = await loadSharp();
  const decoder = sharp(bytes, { limitInputPixels: false });
  try {
    const channels = (await decoder.metadata()).channels === 1 ? 1 : 3;
    const { data, info } = await decoder
      .toColourspace(channels === 1 ? 'b-w' : 'srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels, data };
  } catch (cause) {
    return refuseDamaged(name, format, cause);
  }
}

/** Interleaved samples (grey, RGB or CMYK, each perhaps with alpha) as RGB. */
function toRgb(
  data: Uint8Array,
  channels: number,
  isCmyk: boolean,
  background: readonly number[],
): Uint8Array {
  if (isCmyk) return fromCmyk(data, channels);
  // A plain array, not a Buffer.
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  const hasAlpha = channels % 2 === 0;
  for (let i = 0; i < pixels; i++) {
    const alpha = hasAlpha ? data[i * channels + channels - 1] : 255;
    for (let c = 0; c < 3; c++) {
      const value = data[i * channels + (channels > 2 ? c : 0)];
      rgb[i * 3 + c] = Math.round((value * alpha + background[c] * (255 - alpha)) / 255);
    }
  }
  return rgb;
}

/**
 * Pillow's conversion: colour = (255 - K) - C · (255 - K) / 255 for C, M and Y; a fifth channel is
 * ignored.
 */
function fromCmyk(data: Uint8Array, channels: number): Uint8Array {
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    const light = 255 - data[i * channels + 3];
    for (let c = 0; c < 3; c++)
      rgb[i * 3 + c] = light - Math.round((data[i * channels + c] * light) / 255);
  }
  return rgb;
}
