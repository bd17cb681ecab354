import { FoveaError } from '../errors.ts';
import { type Image, image } from './image.ts';
import { cubic, requireSize } from './sampling.ts';

/** How `resizeImage` weighs source pixels; the names are Pillow's. */
export type ResizeFilter = 'nearest' | 'box' | 'bilinear' | 'hamming' | 'bicubic' | 'lanczos';

/** Options of `resizeImage`. */
export interface ResizeOptions {
  /**
   * Weighting of the source pixels; default: `bilinear`, as in torchvision (Pillow's default is
   * `bicubic`).
   */
  readonly filter?: ResizeFilter;
  /**
   * Source region `[left, top, right, bottom]` in pixels, fractions allowed; default: the whole
   * image.
   */
  readonly box?: readonly [left: number, top: number, right: number, bottom: number];
}

interface Kernel {
  /** Half width in source pixels, if the size does not shrink. */
  readonly support: number;
  readonly weight: (x: number) => number;
}

/**
 * The weights of one axis in 8.22 fixed point: output i = sum_k source[start_i + k] · weights[i ·
 * stride + k].
 */
interface FixedWeights {
  readonly start: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  readonly stride: number;
}

const PRECISION = 22;
const ONE = 1 << PRECISION;
const HALF = 1 << (PRECISION - 1);

/** sinc(x) = sin(πx) / (πx) */
function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

const KERNELS: Record<Exclude<ResizeFilter, 'nearest'>, Kernel> = {
  // 1 for -1/2 < x <= 1/2
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  // 1 - |x|
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  // sinc(x) · (0.54 + 0.46 cos πx), the constants in single precision as in Pillow
  hamming: {
    support: 1,
    weight: (x) =>
      Math.abs(x) < 1
        ? sinc(x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(Math.PI * x))
        : 0,
  },
  bicubic: { support: 2, weight: (x) => cubic(x, -0.5) },
  // sinc(x) · sinc(x / 3)
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/**
 * Resizes an image. The result equals Pillow's `Image.resize` on an 8-bit RGB image: first rows,
 * then columns, each with fixed-point weights and rounded to bytes. If a side shrinks by the factor
 * s > 1, the kernel is s times as wide (antialiasing), except for `nearest`, which picks single
 * pixels.
 * @throws FoveaError `usage` if the size is not two positive integers, the box lies outside or the
 * filter is unknown.
 */
export function resizeImage(
  source: Image,
  width: number,
  height: number,
  options: ResizeOptions = {},
): Image {
  const { filter = 'bilinear', box = [0, 0, source.width, source.height] } = options;
  requireSize(width, height);
  // Pillow keeps the box in single precision.
  const [left, top, right, bottom] = box.map(Math.fround);
  if (
    !(
      left >= 0 &&
      top >= 0 &&
      left < right &&
      top < bottom &&
      right <= source.width &&
      bottom <= source.height
    )
  ) {
    throw new FoveaError(
      'usage',
      `the box [${box}] must lie inside the ${source.width}×${source.height} image and not ` +
        'be empty',
    );
  }
  if (filter === 'nearest') {
    return pick(
      source,
      nearestIndex(source.width, left, right, width),
      nearestIndex(source.height, top, bottom, height),
    );
  }
  if (!Object.hasOwn(KERNELS, filter)) {
    throw new FoveaError(
      'usage',
      `unknown filter '${filter}', use one of nearest, ${Object.keys(KERNELS).join(', ')}`,
    );
  }
  const kernel = KERNELS[filter];
  const columns =
    width === source.width && left === 0 && right === width
      ? undefined
      : fixedWeights(kernel, source.width, left, right, width);
  const rows =
    height === source.height && top === 0 && bottom === height
      ? undefined
      : fixedWeights(kernel, source.height, top, bottom, height);
  if (!rows)
    return columns
      ? resizeWidth(source, columns, 0, source.height)
      : image(width, height, new Uint8Array(source.data));
  const firstRow = rows.start[0];
  const lastRow = rows.start[height - 1] + rows.count[height - 1];
  if (!columns) return resizeHeight(source, rows, 0);
  return resizeHeight(resizeWidth(source, columns, firstRow, lastRow), rows, firstRow);
}

/**
 * Pillow's weights: with s = (to - from) / outSize, f = max(s, 1) and the centre c_i = from + (i +
 * 1/2) s, weight_i(x) = kernel((x + 1/2 - c_i) / f), normalised to sum 1 over the pixels x within
 * support · f of c_i.
 */
function fixedWeights(
  kernel: Kernel,
  inSize: number,
  from: number,
  to: number,
  outSize: number,
): FixedWeights {
  const scale = Math.fround(to - from) / outSize;
  const stretch = Math.max(scale, 1);
  const support = kernel.support * stretch;
  const stride = Math.ceil(support) * 2 + 1;
  const start = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * stride);
  const line = new Float64Array(stride);
  for (let i = 0; i < outSize; i++) {
    const centre = from + (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const taps = Math.min(inSize, Math.trunc(centre + support + 0.5)) - first;
    let total = 0;
    for (let k = 0; k < taps; k++) {
      line[k] = kernel.weight((k + first - centre + 0.5) * (1 / stretch));
      total += line[k];
    }
    for (let k = 0; k < taps; k++) {
      const w = (total === 0 ? line[k] : line[k] / total) * ONE;
      weights[i * stride + k] = Math.trunc(w < 0 ? w - 0.5 : w + 0.5);
    }
    start[i] = first;
    count[i] = taps;
  }
  return { start, count, weights, stride };
}

/** The horizontal pass, for the rows `firstRow` to `lastRow` (excluded) only. */
function resizeWidth(
  source: Image,
  { start, count, weights, stride }: FixedWeights,
  firstRow: number,
  lastRow: number,
): Image {
  const width = start.length;
  const data = source.data;
  // It clamps to 0…255 when it stores.
  const out = new Uint8ClampedArray(width * (lastRow - firstRow) * 3);
  let o = 0;
  for (let y = firstRow; y < lastRow; y++) {
    for (let x = 0; x < width; x++) {
      let p = (y * source.width + start[x]) * 3;
      let r = HALF;
      let g = HALF;
      let b = HALF;
      const end = x * stride + count[x];
      for (let k = x * stride; k < end; k++, p += 3) {
        const w = weights[k];
        r = (r + Math.imul(data[p], w)) | 0;
        g = (g + Math.imul(data[p + 1], w)) | 0;
        b = (b + Math.imul(data[p + 2], w)) | 0;
      }
      out[o++] = r >> PRECISION;
      out[o++] = g >> PRECISION;
      out[o++] = b >> PRECISION;
    }
  }
  return image(width, lastRow - firstRow, new Uint8Array(out.buffer));
}

/** The vertical pass. Row 0 of `source` is row `firstRow` of the axis that the weights refer to. */
function resizeHeight(
  source: Image,
  { start, count, weights, stride }: FixedWeights,
  firstRow: number,
): Image {
  const height = start.length;
  const line = source.width * 3;
  const data = source.data;
  const out = new Uint8ClampedArray(line * height);
  const sum = new Int32Array(line);
  for (let y = 0; y < height; y++) {
    sum.fill(HALF);
    for (let k = 0; k < count[y]; k++) {
      const w = weights[y * stride + k];
      const p = (start[y] + k - firstRow) * line;
      for (let i = 0; i < line; i++) sum[i] += Math.imul(data[p + i], w);
    }
    for (let i = 0; i < line; i++) out[y * line + i] = sum[i] >> PRECISION;
  }
  return image(source.width, height, new Uint8Array(out.buffer));
}

/**
 * Source index of each output pixel, floor(from + (i + 1/2) s), by the running sum that Pillow
 * uses.
 */
function nearestIndex(inSize: number, from: number, to: number, outSize: number): Int32Array {
  const scale = Math.fround(to - from) / outSize;
  const index = new Int32Array(outSize);
  let position = from + scale * 0.5;
  for (let i = 0; i < outSize; i++, position += scale)
    index[i] = Math.min(inSize - 1, Math.floor(position));
  return index;
}

function pick(source: Image, columns: Int32Array, rows: Int32Array): Image {
  const result = image(columns.length, rows.length);
  let o = 0;
  for (const row of rows) {
    for (const column of columns) {
      const p = (row * source.width + column) * 3;
      result.data[o++] = source.data[p];
      result.data[o++] = source.data[p + 1];
      result.data[o++] = source.data[p + 2];
    }
  }
  return result;
}

/**
 * Resizes the shorter side of an image to `size` pixels and keeps the proportions, as torchvision's
 * `Resize(size)`: the longer side becomes floor(size · longer / shorter). `filter` as in
 * `resizeImage`; default: `bilinear`.
 */
export function resizeShorterSide(
  source: Image,
  size: number,
  filter: ResizeFilter = 'bilinear',
): Image {
  const { width, height } = source;
  const other = Math.floor((size * Math.max(width, height)) / Math.min(width, height));
  return width <= height
    ? resizeImage(source, size, other, { filter })
    : resizeImage(source, other, size, { filter });
}

/** Python's round(): halves are rounded to the even neighbour. */
function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  if (x - low === 0.5) return low % 2 === 0 ? low : low + 1;
  return Math.round(x);
}

/**
 * The middle `width`×`height` pixels, as torchvision's `CenterCrop`. An odd margin is split by
 * rounding half to even. A side that is too small gets black margins, with the odd pixel at the
 * right or bottom.
 * @throws FoveaError `usage` if the size is not two positive integers.
 */
export function centerCrop(source: Image, width: number, height: number): Image {
  requireSize(width, height);
  const left = cropOffset(source.width, width);
  const top = cropOffset(source.height, height);
  const result = image(width, height);
  const firstX = Math.max(0, -left);
  const lastX = Math.min(width, source.width - left);
  for (let y = Math.max(0, -top); y < Math.min(height, source.height - top); y++) {
    const from = ((y + top) * source.width + left) * 3;
    result.data.set(
      source.data.subarray(from + firstX * 3, from + lastX * 3),
      (y * width + firstX) * 3,
    );
  }
  return result;
}

/** Start of a centred crop in the source; below 0 if the crop is larger than the source. */
function cropOffset(size: number, crop: number): number {
  return crop > size ? -Math.floor((crop - size) / 2) : roundHalfEven((size - crop) / 2);
}
