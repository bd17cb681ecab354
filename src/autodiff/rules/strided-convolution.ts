import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import { blocked, type Channels, padded, product, reversedWeights } from './convolution-parts.ts';
import { padSpatial, planeOf, type Window, type WindowAxis } from './window.ts';

/**
 * With fewer channels, ONNX Runtime's convolution on the CPU is inefficient, because it computes
 * several blocks of 16 channels at once.
 */
const fewChannels = 32;

/** The convolution that computes cells of dx from dy, along one axis. */
interface CellAxis {
  /** The offset of the first element of dy that a cell reads. */
  readonly first: number;
  /** The number of elements of dy that a cell reads. */
  readonly taps: number;
  /**
   * For each [r, j], with r in the cell and j in the taps, the kernel index k, or null if k is
   * outside the kernel.
   */
  readonly elements: readonly (number | null)[];
  /** Padding after dy. If it is negative, dy is cropped. */
  readonly end: number;
  /** The size of the input minus the size of all cells: at most 0. */
  readonly extra: number;
}

/** One axis of cells with a size of t strides: r = i - S q, k = r + p - s j. */
function cellAxis({ kernel, stride: s, begin, input, output }: WindowAxis, t: number): CellAxis {
  const cell = s * t;
  const first = Math.ceil((begin - kernel + 1) / s);
  const taps = Math.floor((cell - 1 + begin) / s) - first + 1;
  const elements = Array.from({ length: cell * taps }, (_, index) => {
    const k = Math.floor(index / taps) + begin - s * (first + (index % taps));
    return k >= 0 && k < kernel ? k : null;
  });
  const count = Math.ceil(input / cell);
  const end = (count - 1) * t + taps + first - output;
  return { first, taps, elements, end, extra: input - count * cell };
}

/** The weights of the convolution that computes cells: [cell · cell · inputs, outputs, …taps]. */
function cellWeights(
  ops: Ops,
  w: string,
  { inputs, outputs }: Channels,
  { kernel }: Window,
  { rows, columns, cell }: { rows: CellAxis; columns: CellAxis; cell: number },
): string {
  const width = elementAt(kernel, 1);
  // The order is [r, j] of rows by [r, j] of columns. Indices outside the kernel select the zero
  // that is appended to it.
  const elements = rows.elements.flatMap((y) =>
    columns.elements.map((x) => (y === null || x === null ? product(kernel) : y * width + x)),
  );
  const flat = ops.pad(ops.reshape(w, [outputs, inputs, product(kernel)]), [0, 0, 0], [0, 0, 1]);
  const gathered = ops.op('Gather', [flat, ops.ints(elements)], { axis: 2 });
  const split = ops.reshape(gathered, [outputs, inputs, cell, rows.taps, cell, columns.taps]);
  const sizes = [cell * cell * inputs, outputs, rows.taps, columns.taps];
  return ops.reshape(ops.transpose(split, [2, 4, 1, 0, 3, 5]), sizes);
}

/**
 * Computes cells of S × S elements of dx as the channels of one convolution, then DepthToSpace. S =
 * t s, where s is the stride of the layer and t is 1, or 2 if there would be few channels. The
 * convolution of dy has the stride t. With i = S q + r and k = r + p - s j: dx[S q + r] = Σ_j dy[t
 * q + j] w[k], over all j for which k is in the kernel.
 */
export function byCells(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  window: Window,
): string {
  const [height, width] = planeOf(window);
  const s = height.stride;
  const t = s * s * channels.inputs < fewChannels && s <= 4 ? 2 : 1;
  const cell = s * t;
  const [rows, columns] = [cellAxis(height, t), cellAxis(width, t)];
  const weights = cellWeights(ops, w, channels, window, { rows, columns, cell });
  const begin = [-rows.first, -columns.first];
  const end = [rows.end, columns.end];
  const cells = padded(ops, [dy, weights], begin, end, {
    kernel_shape: [rows.taps, columns.taps],
    strides: [t, t],
  });
  const whole = ops.op('DepthToSpace', [cells], { blocksize: cell });
  return padSpatial(ops, whole, [0, 0], [rows.extra, columns.extra]);
}

/**
 * The elements of the kernel that contribute to one phase of an axis, and the padding of dy for
 * them.
 */
interface PhaseAxis {
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
}

/** Phase r of an axis. Its taps are all k for which r + p - k is a multiple of the stride s. */
function phaseAxis({ kernel, stride: s, begin, input, output }: WindowAxis, r: number): PhaseAxis {
  const taps = Array.from({ length: kernel }, (_, k) => k).filter((k) => (r + begin - k) % s === 0);
  const first = (r + begin - elementAt(taps, taps.length - 1)) / s;
  const count = Math.ceil(input / s);
  return { taps, before: -first, after: count - 1 + taps.length + first - output };
}

/** One phase of dx: dy convolved with the weights that contribute to it. */
function phaseOf(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  { rows, columns }: { readonly rows: PhaseAxis; readonly columns: PhaseAxis },
): string {
  const ofRows = ops.op('Gather', [w, ops.ints(rows.taps)], { axis: 2 });
  const taken = ops.op('Gather', [ofRows, ops.ints(columns.taps)], { axis: 3 });
  const shape = [rows.taps.length, columns.taps.length];
  const before = [rows.before, columns.before];
  const after = [rows.after, columns.after];
  return padded(ops, [dy, reversedWeights(ops, taken, channels, shape)], before, after, {
    kernel_shape: shape,
    group: channels.group,
  });
}

/**
 * Computes each of the s × s phases of dx by a convolution with only those weights that contribute
 * to it. Then the phases are interleaved. With i = s q + r and k = r + p - s j: dx[s q + r] = Σ_j
 * dy[q + j] w[k].
 */
export function byPhases(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  window: Window,
): string {
  const [height, width] = planeOf(window);
  const s = height.stride;
  const residues = Array.from({ length: s }, (_, r) => r);
  const phases = residues.flatMap((ry) =>
    residues.map((rx) => {
      const axes = { rows: phaseAxis(height, ry), columns: phaseAxis(width, rx) };
      return phaseOf(ops, dy, w, channels, axes);
    }),
  );
  // DepthToSpace with the channels as the last axis, so that they move as a whole. The batch size
  // is 0 (copied) and not -1: with -1, the runtime would not know that it equals the batch size of
  // the gates that follow, and would leave the blocked memory layout.
  const c = channels.inputs;
  const [rows, columns] = [Math.ceil(height.input / s), Math.ceil(width.input / s)];
  const last = ops.transpose(ops.concat(phases, 1), [0, 2, 3, 1]);
  const behind = ops.reshape(last, [0, rows, columns, s, s * c]);
  const whole = ops.reshape(ops.transpose(behind, [0, 1, 3, 2, 4]), [0, rows * s, columns * s, c]);
  const dx = ops.transpose(whole, [0, 3, 1, 2]);
  const extra = [height.input - rows * s, width.input - columns * s];
  return blocked(ops, padSpatial(ops, dx, [0, 0], extra));
}
