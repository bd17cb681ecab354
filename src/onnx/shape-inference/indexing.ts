import { at as elementAt } from '../../tensor/at.ts';
import { intAttribute, intsAttribute } from '../attributes.ts';
import type { Dim, Shape } from '../graph.ts';
import { each } from '../operators.ts';
import {
  hasInput,
  inputAt,
  normalizeAxis,
  numbersAt,
  ofRank,
  type RuleContext,
  type RuleTable,
  type ShapeRule,
  sameAsInput,
  sizeOf,
  tensorInfo,
  withDim,
} from './rule.ts';

/** The range of a Slice along one axis. */
interface SliceRange {
  readonly start: Dim;
  readonly end: Dim;
  readonly step: number;
}

/**
 * The ranges of a Slice by axis. Null if the axes or steps are not known. Before opset 10 they are
 * attributes.
 */
function sliceRanges(at: RuleContext, rank: number): Map<number, SliceRange> | null {
  const byInput = hasInput(at, 1);
  const starts = byInput ? inputAt(at, 1).value : intsAttribute(at.node, 'starts', null);
  const ends = byInput ? inputAt(at, 2).value : intsAttribute(at.node, 'ends', null);
  const axes = hasInput(at, 3) ? numbersAt(at, 3) : intsAttribute(at.node, 'axes', undefined);
  const steps = hasInput(at, 4) ? numbersAt(at, 4) : undefined;
  const count = starts?.length ?? ends?.length ?? axes?.length ?? inputAt(at, 1).shape?.[0] ?? null;
  if (axes === null || steps === null || typeof count !== 'number') return null;
  const ranges = new Map<number, SliceRange>();
  // In a broken file, a Slice can have more ranges than axes.
  for (let i = 0; i < Math.min(count, rank); i++) {
    const axis = normalizeAxis(axes?.[i] ?? i, rank);
    ranges.set(axis, { start: starts?.[i] ?? null, end: ends?.[i] ?? null, step: steps?.[i] ?? 1 });
  }
  return ranges;
}

/** Ends at or beyond this mean "to the end". */
const endless = 2 ** 31 - 1;

function slicedDim(dim: Dim, { start, end, step }: SliceRange): Dim {
  if (typeof dim !== 'number') {
    const whole =
      start === 0 &&
      step === 1 &&
      dim !== null &&
      (end === dim || (typeof end === 'number' && end >= endless));
    return whole ? dim : null;
  }
  // The result is unknown if the size is known but the end is symbolic.
  if (typeof start !== 'number' || typeof end !== 'number' || step === 0) return null;
  return slicedIndices(dim, start, end, step).count;
}

function slicedIndices(
  dim: number,
  start: number,
  end: number,
  step: number,
): { first: number; count: number } {
  const fromFront = (position: number): number => (position < 0 ? position + dim : position);
  const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
  const clamp = (position: number): number => Math.min(Math.max(position, low), high);
  const first =
    step > 0 ? clamp(fromFront(start)) : Math.min(Math.max(fromFront(start), 0), dim - 1);
  const last = clamp(fromFront(end));
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

const slice: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  if (shape === null) return [tensorInfo(type, null)];
  const ranges = sliceRanges(at, shape.length);
  if (ranges === null) return [tensorInfo(type, ofRank(shape.length))];
  const result = shape.map((dim, axis) => {
    const range = ranges.get(axis);
    return range ? slicedDim(dim, range) : dim;
  });
  return [tensorInfo(type, result, value && slicedValue(value, shape, ranges))];
};

/** The elements at `indices` of one axis of a value. */
function takeAlong(
  value: readonly Dim[],
  shape: Shape,
  axis: number,
  indices: readonly number[],
): Dim[] {
  const dims = shape as readonly number[];
  const size = elementAt(dims, axis);
  const inner = sizeOf(dims.slice(axis + 1));
  return Array.from({ length: sizeOf(dims.slice(0, axis)) }, (_, outer) =>
    indices.map((index) => {
      const start = (outer * size + normalizeAxis(index, size)) * inner;
      return value.slice(start, start + inner);
    }),
  ).flat(2);
}

/** Slices a value axis by axis. If a value is known, its shape is known too. */
function slicedValue(
  value: readonly Dim[],
  shape: Shape,
  ranges: ReadonlyMap<number, SliceRange>,
): Dim[] | null {
  let elements = [...value];
  let dims = shape as readonly number[];
  for (const [axis, { start, end, step }] of ranges) {
    if (typeof start !== 'number' || typeof end !== 'number' || step === 0) return null;
    const { first, count } = slicedIndices(elementAt(dims, axis), start, end, step);
    const indices = Array.from({ length: count }, (_, i) => first + i * step);
    elements = takeAlong(elements, dims, axis, indices);
    dims = dims.map((dim, i) => (i === axis ? count : dim));
  }
  return elements;
}

const gather: ShapeRule = (at) => {
  const [x, indices] = [inputAt(at, 0), inputAt(at, 1)];
  if (x.shape === null || indices.shape === null) return [tensorInfo(x.type, null)];
  const axis = normalizeAxis(intAttribute(at.node, 'axis', 0), x.shape.length);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  const wanted = x.value && numbersAt(at, 1);
  if (!wanted || !x.value) return [tensorInfo(x.type, shape)];
  return [tensorInfo(x.type, shape, takeAlong(x.value, x.shape, axis, wanted))];
};

const gatherElements: ShapeRule = (at) => [tensorInfo(inputAt(at, 0).type, inputAt(at, 1).shape)];

const gatherND: ShapeRule = (at) => {
  const [x, indices] = [inputAt(at, 0), inputAt(at, 1)];
  const depth = indices.shape?.at(-1);
  if (x.shape === null || indices.shape === null || typeof depth !== 'number')
    return [tensorInfo(x.type, null)];
  const batchDims = intAttribute(at.node, 'batch_dims', 0);
  return [tensorInfo(x.type, [...indices.shape.slice(0, -1), ...x.shape.slice(batchDims + depth)])];
};

const oneHot: ShapeRule = (at) => {
  const [indices, depth, values] = [inputAt(at, 0), inputAt(at, 1), inputAt(at, 2)];
  if (indices.shape === null) return [tensorInfo(values.type, null)];
  const axis = normalizeAxis(intAttribute(at.node, 'axis', -1), indices.shape.length + 1);
  const shape: Shape = [
    ...indices.shape.slice(0, axis),
    depth.value?.[0] ?? null,
    ...indices.shape.slice(axis),
  ];
  return [tensorInfo(values.type, shape)];
};

/** The positions of non-zero elements, one column per element. */
const nonZero: ShapeRule = (at) => {
  const { shape } = inputAt(at, 0);
  const elements = numbersAt(at, 0);
  if (shape === null) return [tensorInfo('int64', [null, null])];
  if (shape.length !== 1 || elements === null) return [tensorInfo('int64', [shape.length, null])];
  const positions = elements.flatMap((element, i) => (element === 0 ? [] : [i]));
  return [tensorInfo('int64', [1, positions.length], positions)];
};

const compress: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const axis = intAttribute(at.node, 'axis', null);
  if (axis === null) return [tensorInfo(type, [null])];
  return [tensorInfo(type, shape && withDim(shape, normalizeAxis(axis, shape.length), null))];
};

/** Shape rules of operators that read or write elements by index. */
export const indexing: RuleTable = {
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  OneHot: oneHot,
  NonZero: nonZero,
  Compress: compress,
  ...each('Scatter ScatterElements ScatterND', sameAsInput),
};
