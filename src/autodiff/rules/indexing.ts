import { intAttribute, intsAttribute, isStatic, stringAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, refused, rule, zero } from '../rule.ts';
import { gradientType } from '../rule-context.ts';
import { axisOf, sizeAt } from './axes.ts';
import type { FamilyRules } from './families.ts';

/** One axis of a Slice. The elements at first, first + step, … are selected. */
interface Range {
  readonly axis: number;
  readonly first: number;
  readonly count: number;
  readonly step: number;
}

/** The ranges of a Slice along the axes that it cuts. */
function rangesOf(at: RuleContext): Range[] {
  const { node } = at;
  const shape = at.shape(0);
  const byInput = at.has(1);
  const list = (index: number, name: string): readonly number[] | null =>
    byInput ? at.numbers(index) : intsAttribute(node, name, null);
  const [starts, ends] = [list(1, 'starts'), list(2, 'ends')];
  if (starts === null || ends === null)
    at.refuse('a range that is known without running the model');
  const axes =
    (byInput ? (at.has(3) ? at.numbers(3) : null) : intsAttribute(node, 'axes', null)) ??
    starts?.map((_, i) => i) ??
    [];
  const steps = at.has(4) ? at.numbers(4) : null;
  return axes.flatMap((given, i) => {
    const axis = given < 0 ? given + shape.length : given;
    const [start, end, step] = [starts?.[i] ?? 0, ends?.[i] ?? 0, steps?.[i] ?? 1];
    if (
      start === 0 &&
      step === 1 &&
      (shape[axis] === at.ops.shape(elementAt(node.outputs, 0))[axis] || end >= 2 ** 31 - 1)
    )
      return [];
    return [{ axis, ...rangeWithin(sizeAt(at, 0, axis), start, end, step), step }];
  });
}

function rangeWithin(
  size: number,
  start: number,
  end: number,
  step: number,
): { first: number; count: number } {
  const position = (index: number): number => (index < 0 ? index + size : index);
  const clamp = (index: number, low: number, high: number): number =>
    Math.min(Math.max(index, low), high);
  const first = step > 0 ? clamp(position(start), 0, size) : clamp(position(start), 0, size - 1);
  const last =
    step > 0
      ? clamp(position(end), 0, size)
      : clamp(end < -size ? -1 : position(end), -1, size - 1);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

/** Puts zeros after each element of an axis: [a, b] becomes [a, 0, 0, b, 0, 0] for a step of 3. */
function spread(ops: Ops, x: string, axis: number, step: number): string {
  const shape = ops.shape(x);
  const wide = ops.unsqueeze(x, [axis + 1]);
  const none = ops.shape(wide).map(() => 0);
  const padded = ops.pad(
    wide,
    none,
    none.map((_, i) => (i === axis + 1 ? step - 1 : 0)),
  );
  const target = shape.map((dim, i) =>
    i === axis ? Number(dim) * step : typeof dim === 'number' ? dim : i < axis ? 0 : -1,
  );
  return ops.reshape(padded, target);
}

/** y = selected elements of x. dx is dy at these elements and 0 elsewhere. */
const slice: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const ranges = rangesOf(at);
  const before = at.shape(0).map(() => 0);
  const after = [...before];
  let piece = dy;
  for (const { axis, first, count, step } of ranges) {
    const size = sizeAt(at, 0, axis);
    if (count === 0) return [ops.zerosLike(at.input(0))];
    const stride = Math.abs(step);
    if (step < 0) piece = ops.flip(piece, axis);
    if (stride > 1) piece = spread(ops, piece, axis, stride);
    before[axis] = step < 0 ? first + (count - 1) * step : first;
    // `spread` puts stride - 1 zeros after the last element. These may exceed the size of the axis.
    after[axis] = size - before[axis] - count * stride;
    if (after[axis] < 0) {
      piece = ops.slice(piece, [axis], [0], [size - before[axis]]);
      after[axis] = 0;
    }
  }
  return [ops.pad(piece, before, after)];
};

/**
 * Moves the `count` axes of dy from `axis` on, which belong to the indices, to the end, and merges
 * them into one axis.
 */
function indicesLast(ops: Ops, dy: string, axis: number, count: number): string {
  const rank = ops.shape(dy).length;
  const moved = Array.from({ length: count }, (_, i) => axis + i);
  const rest = Array.from({ length: rank }, (_, i) => i).filter((i) => !moved.includes(i));
  const ordered = ops.transpose(dy, [...rest, ...moved]);
  if (count === 1) return ordered;
  const shape = ops.shape(ordered);
  const sizes = shape.slice(rest.length);
  if (!isStatic(sizes)) return count === 0 ? ops.unsqueeze(ordered, [rank]) : ordered;
  const product = (sizes as readonly number[]).reduce((total, size) => total * size, 1);
  return ops.reshape(ordered, [
    ...shape
      .slice(0, rest.length)
      .map((dim, i) => (typeof dim === 'number' ? dim : i === 0 ? 0 : -1)),
    product,
  ]);
}

/** y = x[…, i, …]. Each element of dy is added to dx at the element from which y was taken. */
const gather: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const axis = axisOf(at, 0);
  const size = sizeAt(at, 0, axis);
  const [shape, indices] = [at.shape(0), at.shape(1)];
  const known = at.numbers(1)?.map((index) => (index < 0 ? index + size : index));
  const first = known && startOfRun(known);
  if (known && first !== undefined) {
    const piece = indices.length === 0 ? ops.unsqueeze(dy, [axis]) : dy;
    if (ops.shape(piece).length === shape.length) {
      const pads = (count: number): number[] => shape.map((_, i) => (i === axis ? count : 0));
      return [ops.pad(piece, pads(first), pads(size - first - known.length))];
    }
  }
  const rank = shape.length;
  const rows = indicesLast(ops, dy, axis, indices.length);
  const type = gradientType(ops.info(dy).type);
  const flat = ops.reshape(at.name(1), [-1]);
  const wrapped = known
    ? ops.ints(known)
    : ops.op('Where', [
        ops.op('Less', [flat, ops.ints([0])]),
        ops.add(flat, ops.ints([size])),
        flat,
      ]);
  const hot = ops.cast(ops.op('Equal', [ops.unsqueeze(wrapped, [1]), ops.indices(size)]), type);
  const summed = ops.op('MatMul', [rows, hot]);
  const order = Array.from({ length: rank }, (_, i) =>
    i < axis ? i : i === axis ? rank - 1 : i - 1,
  );
  return [ops.transpose(summed, order)];
};

/** The first index, if each index is larger than the one before it by 1; undefined otherwise. */
function startOfRun(indices: readonly number[]): number | undefined {
  const [first] = indices;
  const isRun = first !== undefined && indices.every((index, i) => index === first + i);
  return isRun ? first : undefined;
}

/**
 * Each element of y is x at its own index along an axis. Each element of dy is added to dx at that
 * index.
 */
const gatherElements: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  if (ops.opset < 16) at.refuse('opset 13 or later');
  const zeros = ops.zerosLike(at.input(0));
  return [
    ops.op('ScatterElements', [zeros, at.name(1), dy], {
      axis: intAttribute(node, 'axis', 0),
      reduction: 'add',
    }),
  ];
};

/** y = x at positions. Each element of dy is added to dx at its position. */
const gatherND: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  if (ops.opset < 16) at.refuse('opset 13 or later');
  if (intAttribute(node, 'batch_dims', 0) !== 0) at.refuse('batch_dims=0');
  return [
    ops.op('ScatterND', [ops.zerosLike(at.input(0)), at.name(1), dy], {
      reduction: 'add',
    }),
  ];
};

/**
 * y = x with some elements replaced by updates. dx is dy, but 0 at the replaced elements. The
 * updates get dy at these elements.
 */
const scatterElements: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const reduction = stringAttribute(node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') at.refuse('a reduction of none or add');
  if (ops.opset < 11) at.refuse('opset 11 or later');
  const axis = intAttribute(node, 'axis', 0);
  const indices = at.name(1);
  const du = ops.op('GatherElements', [dy, indices], { axis });
  const dx =
    reduction === 'add' || !at.needs(0)
      ? dy
      : ops.op('ScatterElements', [dy, indices, ops.scale(du, 0)], { axis });
  return [dx, '', at.needs(2) ? du : ''];
};

/** Like `scatterElements`, with positions in place of indices along one axis. */
const scatterND: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const reduction = stringAttribute(node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') at.refuse('a reduction of none or add');
  if (ops.opset < 11) at.refuse('opset 11 or later');
  const indices = at.name(1);
  const du = ops.op('GatherND', [dy, indices]);
  const dx =
    reduction === 'add' || !at.needs(0) ? dy : ops.op('ScatterND', [dy, indices, ops.scale(du, 0)]);
  return [dx, '', at.needs(2) ? du : ''];
};

/** Gradients of the operators that read or write elements by index. */
export const indexing: FamilyRules<'indexing'> = {
  Slice: rule(slice, { stop: [1, 2, 3, 4] }),
  Gather: rule(gather, { stop: [1] }),
  GatherElements: rule(gatherElements, { stop: [1] }),
  GatherND: rule(gatherND, { stop: [1] }),
  ScatterElements: rule(scatterElements, { stop: [1] }),
  Scatter: refused(
    'it was replaced by ScatterElements in opset 11; export the model at a later opset',
  ),
  ScatterND: rule(scatterND, { stop: [1] }),
  OneHot: zero('indices have no gradient'),
  NonZero: zero('it returns indices'),
  Compress: refused('the elements that it keeps are known only when the model runs'),
};
