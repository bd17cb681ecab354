import type { Dim, Shape } from '../onnx/index.ts';
import { at } from '../tensor/at.ts';
import type { Ops } from './ops.ts';

/** What to do with one axis of a gradient. `unknown` is decided when the graph runs. */
type Axis = 'keep' | 'sum' | 'unknown';

function axisOf(own: Dim, gradient: Dim): Axis {
  if (own === gradient && own !== null) return 'keep';
  if (own === 1) return 'sum';
  // An axis of known size above 1 was not broadcast.
  if (typeof own === 'number') return 'keep';
  return gradient === 1 ? 'keep' : 'unknown';
}

/**
 * Sums a gradient over the axes along which its tensor was broadcast: dx = Σ dy over the axes of y
 * that x lacks or along which only x has size 1. `value` returns the tensor x, if its shape must be
 * read when the graph runs.
 */
export function unbroadcast(
  ops: Ops,
  gradient: string,
  tensor: string,
  value: () => string,
): string {
  const own = ops.info(tensor).shape;
  const got = ops.info(gradient).shape;
  // If a rank is not known, the sizes are assumed to be equal. If they differ, the Reshape fails
  // when the graph runs.
  if (own === null || got === null)
    return ops.op('Reshape', [gradient, ops.op('Shape', [value()])]);
  if (own.length > got.length) return gradient;
  const lead = got.length - own.length;
  const kinds = own.map((dim, axis) => axisOf(dim, at(got, axis + lead)));
  const leading = Array.from({ length: lead }, (_, axis) => axis);
  const without = lead > 0 ? ops.reduceSum(gradient, leading, false) : gradient;
  const summed = kinds.flatMap((kind, axis) => (kind === 'sum' ? [axis] : []));
  const result = summed.length > 0 ? ops.reduceSum(without, summed) : without;
  const unknownAxes = kinds.flatMap((kind, axis) => (kind === 'unknown' ? [axis] : []));
  return unknownAxes.length > 0 && !sameRun(own, got.slice(lead))
    ? atRunTime(ops, result, value(), unknownAxes)
    : result;
}

/**
 * Whether two shapes are equal, including their unknown sizes. Then the operator did not broadcast.
 */
function sameRun(own: Shape, got: Shape): boolean {
  return own.every((dim, axis) => dim === got[axis]);
}

/**
 * Sums over those of `axes` whose sizes differ when the graph runs. Before opset 13 the axes of a
 * sum are constant, so for each axis a Gather selects either the gradient or its sum.
 */
function atRunTime(ops: Ops, gradient: string, value: string, axes: readonly number[]): string {
  if (ops.opset < 13)
    return axes.reduce((rest, axis) => sumOrKeep(ops, rest, value, axis), gradient);
  const differs = ops.op('Not', [
    ops.op('Equal', [ops.op('Shape', [value]), ops.op('Shape', [gradient])]),
  ]);
  const summed = ops.squeeze(ops.op('NonZero', [differs]), [0]);
  return ops.op('ReduceSum', [gradient, summed], { keepdims: 1, noop_with_empty_axes: 1 });
}

/**
 * The gradient if `value` has the same size along an axis; otherwise its sum over that axis. The
 * sum is appended to the n elements of the gradient, and Gather takes elements 0 to n - 1, or
 * element n.
 */
function sumOrKeep(ops: Ops, gradient: string, value: string, axis: number): string {
  const sizeOf = (tensor: string): string =>
    ops.op('Gather', [ops.op('Shape', [tensor]), ops.ints([axis])], { axis: 0 });
  const size = sizeOf(gradient);
  const isKept = ops.cast(ops.op('Equal', [sizeOf(value), size]), 'int64');
  const isTaken = ops.concat([ops.op('Expand', [isKept, size]), ops.sub(ops.ints([1]), isKept)], 0);
  const both = ops.concat([gradient, ops.reduceSum(gradient, [axis])], axis);
  return ops.op('Gather', [both, ops.squeeze(ops.op('NonZero', [isTaken]), [0])], { axis });
}
