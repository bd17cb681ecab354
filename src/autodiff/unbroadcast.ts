import { FoveaError } from '../errors.ts';
import type { Dim, Shape } from '../onnx/index.ts';
import type { Ops } from './ops.ts';

/** What is to be done to one axis of a gradient. */
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
 * dx = Σ over the axes where x has size 1 (or none) and y has not.
 */
export function unbroadcast(
  ops: Ops,
  gradient: string,
  tensor: string,
  value: () => string,
): string {
  const own = ops.info(tensor).shape;
  const got = ops.info(gradient).shape;
  // Where a rank is not known, a gradient of another size than its tensor ends the run instead of
  // going unnoticed.
  if (own === null || got === null)
    return ops.op('Reshape', [gradient, ops.op('Shape', [value()])]);
  if (own.length > got.length) return gradient;
  const lead = got.length - own.length;
  const kinds = own.map((dim, axis) => axisOf(dim, got[axis + lead]));
  const leading = Array.from({ length: lead }, (_, axis) => axis);
  const without = lead > 0 ? ops.reduceSum(gradient, leading, false) : gradient;
  const summed = kinds.flatMap((kind, axis) => (kind === 'sum' ? [axis] : []));
  const result = summed.length > 0 ? ops.reduceSum(without, summed) : without;
  return kinds.includes('unknown') && !sameRun(own, got.slice(lead))
    ? atRunTime(ops, result, value())
    : result;
}

/**
 * Unknown sizes on both sides are taken as equal where nothing else differs: the operator did not
 * broadcast.
 */
function sameRun(own: Shape, got: Shape): boolean {
  return own.every((dim, axis) => dim === got[axis]);
}

/** Sums over the axes that turn out to differ when the graph runs. */
function atRunTime(ops: Ops, gradient: string, value: string): string {
  if (ops.opset < 13) {
    throw new FoveaError(
      'unsupported',
      `the shape of the tensor "${value}" must be known for its gradient: fix the shape of the model's inputs`,
    );
  }
  const differs = ops.op('Not', [
    ops.op('Equal', [ops.op('Shape', [value]), ops.op('Shape', [gradient])]),
  ]);
  const axes = ops.squeeze(ops.op('NonZero', [differs]), [0]);
  return ops.op('ReduceSum', [gradient, axes], { keepdims: 1, noop_with_empty_axes: 1 });
}
