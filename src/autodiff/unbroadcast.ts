import type { Dim, Shape } from '../onnx/index.ts';
import { at } from '../tensor/at.ts';
import type { Ops } from './ops.ts';

/** What to do with one axis of a gradient. */
type Axis = 'keep' | 'sum' | 'unknown';

function axisOf(own: Dim, gradient: Dim): Axis {
  if (own === gradient && own !== null) return 'keep';
  if (own === 1) return 'sum';
  // A known size above 1 was not broadcast.
  if (typeof own === 'number') return 'keep';
  return gradient === 1 ? 'keep' : 'unknown';
}

/**
 * Sums a gradient over the axes along which its tensor was broadcast:
 * dx = Σ dy over the axes along which x has size 1, or which x does not have, and y has more.
 */
export function unbroadcast(
  ops: Ops,
  gradient: string,
  tensor: string,
  value: () => string,
): string {
  const own = ops.info(tensor).shape;
  const got = ops.info(gradient).shape;
  // If a rank is not known, a Reshape makes the run fail when the sizes differ.
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
 * If the shapes are the same but for unknown sizes, the unknown sizes are taken as equal: the
 * operator did not broadcast.
 */
function sameRun(own: Shape, got: Shape): boolean {
  return own.every((dim, axis) => dim === got[axis]);
}

/**
 * Sums over the axes whose sizes differ when the graph runs; `axes` are the candidates. Before
 * opset 13 the axes of a sum are fixed, so each axis selects either the gradient or its sum.
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
