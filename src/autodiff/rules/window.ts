import type { Dim, Shape } from '../../onnx/index.ts';
import { intsAttribute, readWindow } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import type { RuleContext } from '../rule.ts';
import { spatial } from './axes.ts';

/** A convolution or pooling window along one spatial axis. */
export interface WindowAxis {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** Padding before and after the axis, with `auto_pad` resolved. */
  readonly begin: number;
  readonly end: number;
  /** Sizes of the input and of the output. */
  readonly input: number;
  readonly output: number;
}

/** A convolution or pooling window over axes of known sizes. */
export interface Window {
  /** The window along each spatial axis. */
  readonly axes: readonly WindowAxis[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/**
 * The window of a Conv or pooling node.
 * @throws FoveaError `unsupported` if the spatial sizes of its input or output are not known.
 */
export function windowOf(at: RuleContext, kernel: readonly number[]): Window {
  const x = spatial(at, at.shape(0), 'input');
  const y = spatial(at, at.ops.shape(elementAt(at.node.outputs, 0)), 'output');
  const { strides, dilations, autoPad, padsBegin, padsEnd } = readWindow(at.node, kernel.length);
  const axes = kernel.map((size, i): WindowAxis => {
    const [input, output] = [elementAt(x, i), elementAt(y, i)];
    const [stride, dilation] = [elementAt(strides, i), elementAt(dilations, i)];
    const total = Math.max(0, (output - 1) * stride + (size - 1) * dilation + 1 - input);
    const given = [elementAt(padsBegin, i), elementAt(padsEnd, i)] as const;
    const [begin, end] = padding(autoPad, total, given);
    return { kernel: size, stride, dilation, begin, end, input, output };
  });
  return { axes, kernel, strides, dilations };
}

/**
 * The padding before and after an axis: `total` elements for `SAME_*`, 0 for `VALID`, else the
 * given padding.
 */
function padding(
  autoPad: string,
  total: number,
  given: readonly [number, number],
): readonly [number, number] {
  const [small, large] = [Math.floor(total / 2), Math.ceil(total / 2)];
  if (autoPad === 'VALID') return [0, 0];
  if (autoPad === 'SAME_UPPER') return [small, large];
  return autoPad === 'SAME_LOWER' ? [large, small] : given;
}

/** The two axes of a window over feature maps. */
export function planeOf({ axes }: Window): readonly [WindowAxis, WindowAxis] {
  return [elementAt(axes, 0), elementAt(axes, 1)];
}

/** The kernel size of a node: its attribute `kernel_shape`, or the spatial shape of its weights. */
export function kernelOf(at: RuleContext): readonly number[] {
  const kernel = intsAttribute(at.node, 'kernel_shape') ?? at.shape(1).slice(2);
  if (!kernel.every((size: Dim) => typeof size === 'number')) at.refuse('the shape of its weights');
  return kernel as readonly number[];
}

/** Pads the spatial axes of [N, C, …] with `value` (default 0). Negative counts crop. */
export function padSpatial(
  ops: Ops,
  x: string,
  before: readonly number[],
  after: readonly number[],
  value = 0,
): string {
  const axes = before.map((_, i) => i + 2);
  const starts = before.map((count) => Math.max(0, -count));
  const crop = after.map((count) => Math.max(0, -count));
  const isCropped = [...starts, ...crop].some((count) => count > 0);
  const sizes = ops.shape(x).slice(2);
  const ends = crop.map((count, i) => {
    const size = sizes[i];
    if (typeof size === 'number') return size - count;
    return count > 0 ? -count : 2 ** 31 - 1;
  });
  const cropped = isCropped ? ops.slice(x, axes, starts, ends) : x;
  const pads = (counts: readonly number[]): number[] => [
    0,
    0,
    ...counts.map((count) => Math.max(0, count)),
  ];
  return ops.pad(cropped, pads(before), pads(after), value);
}

/**
 * Interleaves tensors along an axis: element i of piece r goes to position i * pieces.length + r.
 */
export function interleave(ops: Ops, pieces: readonly string[], axis: number): string {
  const first = elementAt(pieces, 0);
  if (pieces.length === 1) return first;
  const shape = ops.shape(first);
  const stacked = ops.concat(
    pieces.map((piece) => ops.unsqueeze(piece, [axis + 1])),
    axis + 1,
  );
  const size = shape[axis] as number;
  return ops.reshape(stacked, openAll(shape, axis, size * pieces.length));
}

/**
 * A shape with axis `axis` replaced by `size`. Unknown dimensions before it become 0, and those
 * after it become -1.
 */
function openAll(shape: Shape, axis: number, size: number): Shape {
  return shape.map((dim, i) =>
    i === axis ? size : typeof dim === 'number' ? dim : i < axis ? 0 : -1,
  );
}

/**
 * Inserts stride - 1 zeros between the elements of the spatial axes of [N, C, …], and `extra` zeros
 * after them. An axis of size n becomes (n - 1) stride + 1 + extra.
 */
export function insertZeros(
  ops: Ops,
  x: string,
  channels: number,
  strides: readonly number[],
  extra: readonly number[],
): string {
  if (strides.every((stride) => stride === 1) && extra.every((count) => count === 0)) return x;
  const ones = ops.constant(
    new Float32Array(channels).fill(1),
    [channels, 1, ...strides.map(() => 1)],
    'float32',
  );
  // The output padding of a transposed convolution must be less than its stride. Padding adds the
  // remaining zeros.
  const inside = extra.map((count, i) => Math.min(count, elementAt(strides, i) - 1));
  const spread = ops.op('ConvTranspose', [x, ones], {
    strides,
    group: channels,
    kernel_shape: strides.map(() => 1),
    output_padding: inside.some((count) => count > 0) ? inside : undefined,
  });
  return padSpatial(
    ops,
    spread,
    strides.map(() => 0),
    extra.map((count, i) => count - elementAt(inside, i)),
  );
}
