import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { windowSums } from '../shared/windows.ts';

/** Side of the windows of one iteration and the step between them, in pixels. */
export type Geometry = { readonly window: number; readonly stride: number };

/** The first window and stride, and how much they shrink per iteration, in pixels. */
export interface Schedule extends Geometry {
  readonly windowStep: number;
  readonly strideStep: number;
}

/** The schedule of the paper (section 4), for inputs of 224 pixels. */
const PAPER = { side: 224, window: 45, stride: 8, windowStep: 1.5, strideStep: 0.2 } as const;

/**
 * Completes a schedule. Values that are not given are those of the paper, in proportion to the
 * shorter side of the input.
 */
export function scheduleFor(
  given: { readonly [K in keyof Schedule]?: number | undefined },
  height: number,
  width: number,
): Schedule {
  const scale = Math.min(height, width) / PAPER.side;
  return {
    window: given.window ?? Math.max(2, Math.round(scale * PAPER.window)),
    stride: given.stride ?? Math.max(1, Math.round(scale * PAPER.stride)),
    windowStep: given.windowStep ?? scale * PAPER.windowStep,
    strideStep: given.strideStep ?? scale * PAPER.strideStep,
  };
}

/**
 * Window and stride of iteration n: W0 - n · windowStep and S0 - n · strideStep, rounded down to
 * whole pixels. The stride is at least 1.
 */
export function iterationGeometry(
  n: number,
  { window, stride, windowStep, strideStep }: Schedule,
): Geometry {
  return {
    window: Math.floor(window - n * windowStep),
    stride: Math.max(1, Math.floor(stride - n * strideStep)),
  };
}

/**
 * Window and stride of the windows that are shown alone. They are larger than the hidden windows,
 * because a network recognizes little in a small piece on an empty background.
 */
export function shownGeometry({ window, stride }: Geometry, scale: number): Geometry {
  return { window: Math.round(window * scale), stride: Math.round(stride * scale) };
}

/**
 * effect · W0² / W²: the effect per pixel of a window of side W, in units of the first windows of
 * side W0. So windows of all sizes have the same scale. A clipped window counts with its full side.
 */
export function perArea(effects: Float64Array, window: number, firstWindow: number): Float64Array {
  const share = (firstWindow / window) ** 2;
  return effects.map((effect) => effect * share);
}

/**
 * Square windows every `stride` pixels, four integers each: top, left, bottom, right, clipped to
 * the picture. The first windows start outside the picture, so that each pixel at the border is
 * covered as often as a pixel in the middle. Windows of less than two pixels give an empty list.
 */
export function slidingWindowsOverBorder(
  height: number,
  width: number,
  window: number,
  stride: number,
): Int32Array {
  if (window < 2) return new Int32Array();
  const starts = (length: number) => {
    const result: number[] = [];
    for (let start = stride - window; start < length; start += stride) result.push(start);
    return result;
  };
  const lefts = starts(width);
  return Int32Array.from(
    starts(height).flatMap((top) =>
      lefts.flatMap((left) => [
        Math.max(0, top),
        Math.max(0, left),
        Math.min(height, top + window),
        Math.min(width, left + window),
      ]),
    ),
  );
}

/**
 * The windows that contain at least one pixel of `region` [height · width] (nonzero means inside).
 */
export function touching(
  windows: Int32Array,
  region: Uint8Array,
  height: number,
  width: number,
): Int32Array {
  // Summed-area table: how many pixels of the region lie above and to the left of each point.
  const stride = width + 1;
  const table = new Int32Array((height + 1) * stride);
  for (let y = 0; y < height; y++) {
    for (let x = 0, row = 0; x < width; x++) {
      row += region[y * width + x] !== 0 ? 1 : 0;
      table[(y + 1) * stride + x + 1] = table[y * stride + x + 1] + row;
    }
  }
  const kept: number[] = [];
  for (let n = 0; n < windows.length; n += 4) {
    const [top, left, bottom, right] = windows.subarray(n, n + 4);
    const inside =
      table[bottom * stride + right] -
      table[top * stride + right] -
      table[bottom * stride + left] +
      table[top * stride + left];
    if (inside > 0) kept.push(top, left, bottom, right);
  }
  return Int32Array.from(kept);
}

/** Collects the effects of windows on the score over all iterations, per pixel. */
export interface Evidence {
  add(windows: Int32Array, effects: ArrayLike<number>): void;
  /**
   * The mean effect of the windows that cover each pixel, [H · W]; 0 for pixels that no window
   * covers.
   */
  map(): Float32Array;
}

/** An `Evidence` without windows, for a picture of `height` × `width` pixels. */
export function createEvidence(height: number, width: number): Evidence {
  const sums = new Float64Array(height * width);
  const counts = new Float64Array(height * width);
  return {
    add(windows, effects) {
      const added = windowSums(windows, effects, height, width);
      for (let i = 0; i < sums.length; i++) {
        sums[i] += added.sums[i];
        counts[i] += added.coverage[i];
      }
    },
    map: () => Float32Array.from(sums, (sum, i) => (counts[i] > 0 ? sum / counts[i] : 0)),
  };
}

/**
 * S[p] = mean over shown windows w that cover p of ( f(w alone) - f(baseline) ) W0² / |w|
 *      + mean over hidden windows w that cover p of ( f(x) - f(x without w) ) W0² / |w|
 *
 * This is the paper's expected score if p is seen (eq. 1), minus the expected score if p is not
 * seen. Pixel p is seen in the shown windows that cover it, and not seen in the hidden windows that
 * cover it. The two constants f(baseline) and f(x) make 0 mean "no effect". Each mean is over the
 * windows of one pixel, so uneven coverage has no influence.
 */
export function sampledMap(
  gains: Float32Array,
  losses: Float32Array,
  height: number,
  width: number,
): Tensor {
  return tensor(
    [height, width],
    gains.map((gain, i) => gain + losses[i]),
  );
}
