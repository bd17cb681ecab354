import { FoveaError } from '../../errors.ts';
import { at } from '../../tensor/at.ts';
import { largestConstant } from '../guard.ts';
import { knownSize } from './axes.ts';
import type { Emitter } from './emitter.ts';

/** Slices, pads and concatenations of tensors. */
export interface Selection {
  /**
   * The elements `start`, `start + step`, … before `end` along each of `axes`. `steps` are 1 by
   * default.
   */
  slice(
    x: string,
    axes: readonly number[],
    starts: readonly number[],
    ends: readonly number[],
    steps?: readonly number[],
  ): string;
  /** Pads every axis with `before` and `after` elements that equal `value` (default 0). */
  pad(x: string, before: readonly number[], after: readonly number[], value?: number): string;
  concat(inputs: readonly string[], axis: number): string;
  /** The indices 0, 1, …, size − 1, in int64. */
  indices(size: number): string;
  /** Reverses the order of the elements along an axis of known size. */
  flip(x: string, axis: number): string;
}

/** Slices, pads and concatenations of tensors, as nodes of an emitter. */
export function selection(emitter: Emitter): Selection {
  const { op } = emitter;
  return {
    slice: (x, axes, starts, ends, steps) => slice(emitter, x, { axes, starts, ends, steps }),
    pad: (x, before, after, value = 0) => pad(emitter, x, [...before, ...after], value),
    concat: (inputs, axis) =>
      inputs.length === 1 ? at(inputs, 0) : op('Concat', inputs, { axis }),
    indices: (size) => sequence(emitter, 0, size, 1),
    flip(x, axis) {
      const size = knownSize(emitter, x, axis);
      return size === 1 ? x : op('Gather', [x, sequence(emitter, size - 1, -1, -1)], { axis });
    },
  };
}

/** Longest sequence that is emitted as a constant. The runtime computes longer ones, by Range. */
const longestWritten = 1024;

/** The integers `first`, `first + step`, … before `end`, in int64. */
function sequence(emitter: Emitter, first: number, end: number, step: number): string {
  const count = Math.max(0, Math.ceil((end - first) / step));
  if (count <= longestWritten || emitter.opset < 11) {
    if (count > largestConstant)
      throw new FoveaError(
        'unsupported',
        `a gradient needs ${count} indices, which is too many before opset 11: ` +
          'export the model at a later opset',
      );
    return emitter.ints(Array.from({ length: count }, (_, i) => first + i * step));
  }
  const scalar = (value: number) => emitter.constant([value], [], 'int64');
  return emitter.op('Range', [scalar(first), scalar(end), scalar(step)]);
}

interface Ranges {
  readonly axes: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly steps: readonly number[] | undefined;
}

function slice(emitter: Emitter, x: string, { axes, starts, ends, steps }: Ranges): string {
  const { opset, op, ints } = emitter;
  const stepped = steps?.some((step) => step !== 1) ?? false;
  if (opset >= 10)
    return op('Slice', [
      x,
      ints(starts),
      ints(ends),
      ints(axes),
      ...(stepped ? [ints(steps ?? [])] : []),
    ]);
  if (!stepped) return op('Slice', [x], { axes, starts, ends });
  return axes.reduce(
    (rest, axis, i) => everyNth(emitter, rest, axis, at(starts, i), at(ends, i), steps?.[i] ?? 1),
    x,
  );
}

/** A slice with a step, as a Gather: before opset 10, Slice has no steps. */
function everyNth(
  emitter: Emitter,
  x: string,
  axis: number,
  start: number,
  end: number,
  step: number,
): string {
  const size = knownSize(emitter, x, axis);
  const stop = step > 0 ? Math.min(end, size) : end;
  return emitter.op('Gather', [x, sequence(emitter, start, stop, step)], { axis });
}

function pad(
  { opset, op, ints, scalar }: Emitter,
  x: string,
  pads: readonly number[],
  value: number,
): string {
  if (pads.every((count) => count === 0)) return x;
  if (opset < 11) return op('Pad', [x], { pads, value: { type: 'float', value } });
  return op('Pad', [x, ints(pads), ...(value === 0 ? [] : [scalar(value, x)])]);
}
