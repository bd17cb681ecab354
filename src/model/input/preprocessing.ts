import { FoveaError } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import type { Mask } from '../../image/mask.ts';
import {
  centerCrop,
  type ResizeFilter,
  resizeImage,
  resizeShorterSide,
} from '../../image/resize.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { lookUp, luminance } from './pixels.ts';

export { IMAGENET_PREPROCESSING } from './imagenet.ts';

/**
 * How a picture becomes the model's input: input = (pixel · scale − mean) / std, with pixel in 0 …
 * 255 and scale 1/255 for `0-1`, 1 for `0-255`. Manifests record it. Mean and std are in the
 * channel order of the input tensor.
 */
export interface Preprocessing {
  /** Height and width of the model's input in pixels. */
  readonly size: readonly [height: number, width: number];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** Channel order of the input; `grey` is one channel, ITU-R 601 luma as Pillow's `L`. */
  readonly colour: 'RGB' | 'BGR' | 'grey';
  readonly scale: '0-1' | '0-255';
  /**
   * `stretch`: to `size`, ignoring the aspect ratio. `crop`: shorter side to `shorterSide` (or all
   * of it to `stretchedSize`), then the centre.
   */
  readonly resize: 'stretch' | 'crop';
  /** Only for `crop`: length of the shorter side before the crop, in pixels. */
  readonly shorterSide?: number;
  /**
   * Only for `crop`, in place of `shorterSide`: stretched to this size before the crop, as DeiT
   * does.
   */
  readonly stretchedSize?: readonly [height: number, width: number];
  readonly filter: ResizeFilter;
}

/** The rectangle of a picture, in its own pixels, that the model's input shows. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Resizes (and crops) a picture to the model's input size, still as 8-bit RGB. */
export function fitImage(picture: Image, preprocessing: Preprocessing): Image {
  const [height, width] = preprocessing.size;
  if (preprocessing.resize === 'stretch')
    return resizeImage(picture, width, height, { filter: preprocessing.filter });
  const { stretchedSize, filter } = preprocessing;
  if (stretchedSize)
    return centerCrop(
      resizeImage(picture, stretchedSize[1], stretchedSize[0], { filter }),
      width,
      height,
    );
  const shorter = preprocessing.shorterSide ?? Math.min(height, width);
  return centerCrop(resizeShorterSide(picture, shorter, preprocessing.filter), width, height);
}

/**
 * A mask at the model's input size, [H · W]: stretched or cropped in the same way as the picture,
 * with nearest neighbours.
 */
export function fitMask({ width, height, data }: Mask, preprocessing: Preprocessing): Uint8Array {
  const grey = Uint8Array.from({ length: 3 * width * height }, (_, i) =>
    data[Math.floor(i / 3)] ? 1 : 0,
  );
  const fitted = fitImage({ width, height, data: grey }, { ...preprocessing, filter: 'nearest' });
  return fitted.data.filter((_, i) => i % 3 === 0);
}

/** Where the model's input lies in a picture of `width` × `height` pixels. */
export function inputRegion(width: number, height: number, preprocessing: Preprocessing): Region {
  if (preprocessing.resize === 'stretch') return { left: 0, top: 0, width, height };
  const [inputHeight, inputWidth] = preprocessing.size;
  const { stretchedSize, shorterSide = Math.min(inputHeight, inputWidth) } = preprocessing;
  const pixel = Math.min(width, height) / shorterSide;
  const [pixelHeight, pixelWidth] = stretchedSize
    ? [height / stretchedSize[0], width / stretchedSize[1]]
    : [pixel, pixel];
  const [w, h] = [inputWidth * pixelWidth, inputHeight * pixelHeight];
  return { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h };
}

/** Mean and std of a channel; those of the first channel if only one is given. */
function normalization(
  { mean, std }: Preprocessing,
  channel: number,
): { readonly mean: number; readonly std: number } {
  return { mean: mean[channel] ?? at(mean, 0), std: std[channel] ?? at(std, 0) };
}

/** One value of the input tensor, from a byte: (v · scale − mean) / std. */
function channelTable(preprocessing: Preprocessing, channel: number): Float32Array {
  const scale = preprocessing.scale === '0-1' ? 1 / 255 : 1;
  const { mean, std } = normalization(preprocessing, channel);
  return Float32Array.from({ length: 256 }, (_, v) => (v * scale - mean) / std);
}

/** A picture as the model's input, [1, C, H, W]. */
export function preprocess(picture: Image, preprocessing: Preprocessing): Tensor {
  return normalizePixels(fitImage(picture, preprocessing), preprocessing);
}

/** The model's input [1, C, H, W] from a picture that already has the model's size. */
export function normalizePixels(
  { width, height, data }: Image,
  preprocessing: Preprocessing,
): Tensor {
  const area = width * height;
  if (preprocessing.colour === 'grey') {
    return tensor([1, 1, height, width], luminance(data, channelTable(preprocessing, 0)));
  }
  const result = new Float32Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    const table = channelTable(preprocessing, channel);
    const source = preprocessing.colour === 'RGB' ? channel : 2 - channel;
    lookUp(data, source, table, result.subarray(channel * area, (channel + 1) * area));
  }
  return tensor([1, 3, height, width], result);
}

/** Number of channels of the model's input. */
export function channelsOf(preprocessing: Preprocessing): number {
  return preprocessing.colour === 'grey' ? 1 : 3;
}

/** An sRGB colour (bytes) as a normalized [1, C, 1, 1] tensor, to be used as a baseline. */
export function normalizeColour(
  rgb: readonly [number, number, number],
  preprocessing: Preprocessing,
): Tensor {
  const pixel: Image = { width: 1, height: 1, data: Uint8Array.from(rgb) };
  return normalizePixels(pixel, preprocessing);
}

/**
 * The inverse of `normalizePixels` for the first picture of a batch: an 8-bit RGB picture, rounded
 * and clipped.
 */
export function denormalize(input: Tensor, preprocessing: Preprocessing): Image {
  const [, channels = 0, height = 0, width = 0] = input.shape;
  if (channels !== 1 && channels !== 3) {
    throw new FoveaError(
      'unsupported',
      `an input of ${channels} channels cannot be shown as a picture: expected 1 or 3`,
    );
  }
  const area = width * height;
  const scale = preprocessing.scale === '0-1' ? 255 : 1;
  const data = new Uint8ClampedArray(3 * area);
  for (let c = 0; c < 3; c++) {
    const channel = channels === 1 ? 0 : preprocessing.colour === 'BGR' ? 2 - c : c;
    const { mean, std } = normalization(preprocessing, channel);
    const plane = input.data.subarray(channel * area, (channel + 1) * area);
    plane.forEach((value, i) => {
      data[3 * i + c] = (value * std + mean) * scale;
    });
  }
  return { width, height, data: new Uint8Array(data.buffer) };
}
