import { FoveaError } from '../../errors.ts';
import { type Dim, isStatic, type Shape } from '../../onnx/index.ts';
import { withAxes } from './axes.ts';
import type { Emitter } from './emitter.ts';

/** Reshapes, broadcasts and permutations of tensors. */
export interface Layout {
  /**
   * Reshapes to a shape in which at most one dimension is symbolic (or -1). A 0 copies the
   * dimension of `x` at that axis.
   */
  reshape(x: string, shape: Shape): string;
  /** Reshapes to the shape of another tensor. */
  reshapeLike(x: string, like: string): string;
  /** Broadcasts to the shape of another tensor. */
  expandLike(x: string, like: string): string;
  transpose(x: string, perm: readonly number[]): string;
  unsqueeze(x: string, axes: readonly number[]): string;
  squeeze(x: string, axes: readonly number[]): string;
  /** Zeros with the shape and the element type of a tensor. */
  zerosLike(x: string): string;
}

/** Reshapes, broadcasts and permutations of tensors, as nodes of an emitter. */
export function layout(emitter: Emitter): Layout {
  const { op, ints, constant, shape, floatType, withShape } = emitter;
  return {
    reshape: (x, target) => reshape(emitter, x, target),
    reshapeLike: (x, like) => reshapeLike(emitter, x, like),
    expandLike: (x, like) => expandLike(emitter, x, like),
    transpose: (x, perm) =>
      perm.every((axis, i) => axis === i) ? x : op('Transpose', [x], { perm }),
    unsqueeze: (x, axes) => (axes.length === 0 ? x : withAxes(emitter, 'Unsqueeze', x, axes, 13)),
    squeeze: (x, axes) => (axes.length === 0 ? x : withAxes(emitter, 'Squeeze', x, axes, 13)),
    zerosLike(x) {
      const dims = shape(x);
      const zero = constant([0], [], floatType(x));
      const size = isStatic(dims) ? ints(dims) : op('Shape', [x]);
      return withShape(op('Expand', [zero, size]), dims);
    },
  };
}

function reshape({ op, ints }: Emitter, x: string, target: Shape): string {
  const open = target.filter((dim) => typeof dim !== 'number');
  if (open.length > 1)
    throw new FoveaError('internal', `a reshape to [${target}] has more than one open dimension`);
  return op('Reshape', [x, ints(target.map((dim) => (typeof dim === 'number' ? dim : -1)))]);
}

function reshapeLike(emitter: Emitter, x: string, like: string): string {
  const { op, info, shape, withShape } = emitter;
  const [own, target] = [info(x).shape, shape(like)];
  if (own !== null && sameShape(own, target)) return x;
  const dims = target.map((dim, axis) =>
    typeof dim === 'string' && own?.[axis] === dim ? 0 : dim,
  );
  if (dims.filter((dim) => typeof dim !== 'number').length <= 1)
    return withShape(reshape(emitter, x, dims), target);
  return withShape(op('Reshape', [x, op('Shape', [like])]), target);
}

function expandLike({ op, ints, shape, withShape }: Emitter, x: string, like: string): string {
  const [own, target] = [shape(x), shape(like)];
  if (sameShape(own, target)) return x;
  const lead = target.length - own.length;
  // A 1 keeps an axis of x that already has the symbolic size.
  const dims = target.map(
    (dim, axis): Dim => (typeof dim === 'number' ? dim : own[axis - lead] === dim ? 1 : null),
  );
  const size = isStatic(dims) ? ints(dims) : op('Shape', [like]);
  return withShape(op('Expand', [x, size]), target);
}

/** Whether two shapes are known to be equal. */
function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, axis) => dim !== null && dim === b[axis]);
}
