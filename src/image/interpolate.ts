import { FoveaError } from '../errors.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { cubic, requireSize } from './sampling.ts';

/** How `interpolate` weighs source values; the names are PyTorch's. */
export type InterpolateMode = 'nearest' | 'bilinear' | 'bicubic';

/** Options of `interpolate`. */
export interface InterpolateOptions {
  /** Weighting of the source values; `bilinear` if not given. */
  readonly mode?: InterpolateMode;
  /**
   * True: the centres of the corner values map onto each other; false (default): the outer edges
   * do.
   */
  readonly alignCorners?: boolean;
}

/**
 * The weights of one axis: output i = sum_k source[index[i · taps + k]] · weights[i · taps + k].
 */
interface AxisTaps {
  readonly taps: number;
  readonly index: Int32Array;
  readonly weights: Float64Array;
}

/**
 * Float maps [..., h, w] at another size [..., height, width]: PyTorch's `interpolate(size=(height,
 * width))` computed in double precision (PyTorch on float32 differs from that by some 1e-6 of the
 * values). No antialiasing when a side shrinks. `bicubic` uses a = -0.75 and may leave the range of
 * the source values.
 * @throws FoveaError `usage` if the size is not two positive integers, the mode is unknown or the
 * tensor has no h, w.
 */
export function interpolate(
  x: Tensor,
  height: number,
  width: number,
  options: InterpolateOptions = {},
): Tensor {
  const { mode = 'bilinear', alignCorners = false } = options;
  requireSize(width, height);
  const [h, w] = x.shape.slice(-2);
  if (x.shape.length < 2 || h * w === 0) {
    throw new FoveaError(
      'usage',
      `interpolate needs maps of shape [..., h, w] with h and w above 0, got [${x.shape}]`,
    );
  }
  const columns = axisTaps(mode, w, width, alignCorners);
  const rows = axisTaps(mode, h, height, alignCorners);
  const planes = x.data.length / (h * w);
  const result = tensor([...x.shape.slice(0, -2), height, width]);
  const wide = new Float64Array(h * width);
  for (let plane = 0; plane < planes; plane++) {
    interpolateRows(x.data.subarray(plane * h * w, (plane + 1) * h * w), w, columns, wide);
    interpolateColumns(
      wide,
      width,
      rows,
      result.data.subarray(plane * height * width, (plane + 1) * height * width),
    );
  }
  return result;
}

function interpolateRows(
  source: Float32Array,
  width: number,
  { taps, index, weights }: AxisTaps,
  out: Float64Array,
): void {
  const outWidth = index.length / taps;
  for (let from = 0, o = 0; from < source.length; from += width) {
    for (let i = 0; i < outWidth; i++, o++) {
      let sum = 0;
      for (let k = i * taps; k < (i + 1) * taps; k++) sum += source[from + index[k]] * weights[k];
      out[o] = sum;
    }
  }
}

function interpolateColumns(
  source: Float64Array,
  width: number,
  { taps, index, weights }: AxisTaps,
  out: Float32Array,
): void {
  for (let y = 0, o = 0; y < index.length / taps; y++) {
    for (let i = 0; i < width; i++, o++) {
      let sum = 0;
      for (let k = y * taps; k < (y + 1) * taps; k++)
        sum += source[index[k] * width + i] * weights[k];
      out[o] = sum;
    }
  }
}

/**
 * Where output i falls in the source: i · (in-1)/(out-1) with aligned corners, else (i + 1/2) ·
 * in/out - 1/2.
 */
function sourcePosition(i: number, inSize: number, outSize: number, alignCorners: boolean): number {
  if (alignCorners) return outSize > 1 ? i * ((inSize - 1) / (outSize - 1)) : 0;
  return (inSize / outSize) * (i + 0.5) - 0.5;
}

/**
 * Taps of output i at the source position p with t = p - floor(p): nearest 1, at floor(i · in/out)
 * in single precision as PyTorch; bilinear 1-t, t; bicubic cubic(t+1), cubic(t), cubic(1-t),
 * cubic(2-t). Indices beyond an edge are clamped to it.
 */
function axisTaps(
  mode: InterpolateMode,
  inSize: number,
  outSize: number,
  alignCorners: boolean,
): AxisTaps {
  const taps = { nearest: 1, bilinear: 2, bicubic: 4 }[mode];
  if (!taps)
    throw new FoveaError('usage', `unknown mode '${mode}', use nearest, bilinear or bicubic`);
  const index = new Int32Array(outSize * taps);
  const weights = new Float64Array(outSize * taps);
  for (let i = 0; i < outSize; i++) {
    let position = sourcePosition(i, inSize, outSize, alignCorners);
    if (mode === 'nearest') position = Math.fround(i * Math.fround(inSize / outSize));
    if (mode === 'bilinear') position = Math.min(Math.max(0, position), inSize - 1);
    const base = Math.floor(position);
    const t = position - base;
    const line =
      mode === 'nearest'
        ? [1]
        : mode === 'bilinear'
          ? [1 - t, t]
          : [t + 1, t, 1 - t, 2 - t].map((d) => cubic(d, -0.75));
    for (let k = 0; k < taps; k++) {
      index[i * taps + k] = Math.min(
        inSize - 1,
        Math.max(0, base + k - (mode === 'bicubic' ? 1 : 0)),
      );
      weights[i * taps + k] = line[k];
    }
  }
  return { taps, index, weights };
}
