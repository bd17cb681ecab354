import { FoveaError, messageOf } from '../errors.ts';
import { type Image, image } from '../image/image.ts';

/** The forms of pictures in a browser. */
export type ImageInput =
  | string
  | URL
  | Blob
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas;

/** Options of `readImage` in browsers. */
export interface ReadImageOptions {
  /** Colour (R, G, B, each 0–255) behind transparent pixels; white if not given. */
  readonly background?: readonly [red: number, green: number, blue: number];
  /** Largest number of pixels (width × height) that is read; 100 million if not given. */
  readonly maxPixels?: number;
  /** The name of the picture in messages; its address, or `the picture`, if not given. */
  readonly name?: string;
  readonly signal?: AbortSignal;
}

function refuse(name: string, what: string, cause?: unknown): never {
  throw new FoveaError('image', `${name} ${what}`, { cause });
}

async function fetchBlob(url: string | URL, name: string, signal?: AbortSignal): Promise<Blob> {
  const response = await fetch(url, { signal }).catch((cause: unknown) => {
    if (signal?.aborted)
      throw new FoveaError('cancelled', `reading ${name} was cancelled`, { cause });
    return refuse(
      name,
      `cannot be fetched (${messageOf(cause)}): check the address, and that its server allows ` +
        'other origins (CORS)',
      cause,
    );
  });
  if (!response.ok) refuse(name, `cannot be fetched: HTTP ${response.status}`);
  return response.blob();
}

/**
 * Options for pixel values as they are in the file: no color management, no premultiplied alpha,
 * upright by EXIF.
 */
const AS_STORED: ImageBitmapOptions = {
  colorSpaceConversion: 'none',
  premultiplyAlpha: 'none',
  imageOrientation: 'from-image',
};

async function decode(source: Blob | HTMLImageElement, name: string): Promise<ImageBitmap> {
  if (source instanceof Blob && source.size === 0) refuse(name, 'is empty (0 bytes)');
  if (!(source instanceof Blob))
    await source.decode().catch((cause: unknown) => refuse(name, 'is not loaded', cause));
  return createImageBitmap(source, AS_STORED).catch((cause: unknown) => {
    const type = source instanceof Blob && source.type ? ` (${source.type})` : '';
    return refuse(name, `is damaged or in a format that this browser does not read${type}`, cause);
  });
}

function createCanvas(width: number, height: number): OffscreenCanvas | HTMLCanvasElement {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(width, height);
  return Object.assign(document.createElement('canvas'), { width, height });
}

function pixelsOf(
  source: ImageBitmap | HTMLCanvasElement | OffscreenCanvas,
  name: string,
): ImageData {
  const { width, height } = source;
  try {
    const context = createCanvas(width, height).getContext('2d', {
      colorSpace: 'srgb',
      willReadFrequently: true,
    }) as CanvasRenderingContext2D | null;
    if (!context)
      return refuse(
        name,
        `cannot be read: this browser has too little memory for a canvas of ${width}×${height}`,
      );
    context.drawImage(source, 0, 0);
    return context.getImageData(0, 0, width, height);
  } catch (cause) {
    if (cause instanceof FoveaError) throw cause;
    if ((cause as Error).name === 'SecurityError')
      refuse(
        name,
        'comes from another origin, whose pixels a page may not read: serve it with CORS headers',
        cause,
      );
    return refuse(name, `cannot be read: ${messageOf(cause)}`, cause);
  }
}

/**
 * Lays RGBA over a background, with the same formula as in Node: round((v · a + background · (255 -
 * a)) / 255).
 */
function flatten({ width, height, data }: ImageData, background: readonly number[]): Image {
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    const alpha = data[4 * i + 3];
    for (let c = 0; c < 3; c++)
      rgb[3 * i + c] =
        alpha === 255
          ? data[4 * i + c]
          : Math.round((data[4 * i + c] * alpha + background[c] * (255 - alpha)) / 255);
  }
  return image(width, height, rgb);
}

/** The classes of pictures in a browser. */
const PICTURES = [
  'URL',
  'Blob',
  'ImageBitmap',
  'ImageData',
  'HTMLImageElement',
  'HTMLCanvasElement',
  'OffscreenCanvas',
] as const satisfies (keyof typeof globalThis)[];

/** Whether `readImage` can read a value. */
export function isImageInput(source: unknown): source is ImageInput {
  if (typeof source === 'string') return true;
  return PICTURES.some((name) => {
    const type: unknown = globalThis[name]; // workers and servers lack some of them
    return typeof type === 'function' && source instanceof type;
  });
}

const isElement = (source: ImageInput): source is HTMLImageElement =>
  typeof HTMLImageElement !== 'undefined' && source instanceof HTMLImageElement;

/**
 * Reads a picture in a browser as 8-bit RGB, as `readImage` of `fovea/node` does: upright, without
 * color management, with white behind transparent pixels.
 * @throws FoveaError `image` saying why it cannot be read, `usage` for impossible options.
 */
export async function readImage(
  source: ImageInput,
  options: ReadImageOptions = {},
): Promise<Image> {
  const { background = [255, 255, 255], maxPixels = 100e6, signal } = options;
  if (background.length !== 3 || !background.every((value) => value >= 0 && value <= 255)) {
    throw new FoveaError(
      'usage',
      `background must be three numbers from 0 to 255 (red, green, blue), got [${background}]`,
    );
  }
  const isAddress = typeof source === 'string' || source instanceof URL;
  const name = options.name ?? (isAddress ? String(source).slice(0, 120) : 'the picture');
  if (typeof ImageData !== 'undefined' && source instanceof ImageData)
    return flatten(source, background);
  const given = isAddress ? await fetchBlob(source, name, signal) : source;
  const decoded =
    given instanceof Blob || isElement(given)
      ? await decode(given, name)
      : (given as ImageBitmap | HTMLCanvasElement | OffscreenCanvas);
  try {
    const { width, height } = decoded;
    if (!(width > 0 && height > 0)) refuse(name, 'has no pixels');
    if (width * height > maxPixels)
      refuse(
        name,
        `is ${width}×${height} = ${width * height} pixels, above the limit of ${maxPixels} (make ` +
          'it smaller, or raise maxPixels of readImage)',
      );
    return flatten(pixelsOf(decoded, name), background);
  } finally {
    if (decoded !== given) (decoded as ImageBitmap).close();
  }
}
