import { intAttribute } from '../attributes.ts';
import type { DataType } from '../data-types.ts';
import type { Dim, Shape } from '../graph.ts';
import { each } from '../operators.ts';
import { addDims, multiplyDims } from './dim.ts';
import {
  hasInput,
  inputAt,
  listAt,
  normalizeAxis,
  ofRank,
  type RuleTable,
  type ShapeRule,
  type TensorInfo,
  tensorInfo,
  withDim,
} from './rule.ts';

function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  const reduced = new Set(axes.map((axis) => normalizeAxis(axis, shape.length)));
  if (keepDims) return shape.map((dim, axis) => (reduced.has(axis) ? 1 : dim));
  return shape.filter((_, axis) => !reduced.has(axis));
}

/**
 * The rule of a reduction. `combine` computes the value if a whole vector of known elements is
 * reduced.
 */
function reduce(combine?: (a: Dim, b: Dim) => Dim): ShapeRule {
  return (at) => {
    const x = inputAt(at, 0);
    const keepDims = intAttribute(at.node, 'keepdims', 1) === 1;
    const axes = listAt(at, 'axes', 1);
    if (x.shape === null) return [tensorInfo(x.type, null)];
    if (axes === null) return [tensorInfo(x.type, keepDims ? ofRank(x.shape.length) : null)];
    const none = axes === undefined || axes.length === 0;
    if (none && intAttribute(at.node, 'noop_with_empty_axes', 0) === 1)
      return [tensorInfo(x.type, x.shape)];
    const shape = reducedShape(x.shape, none ? x.shape.map((_, axis) => axis) : axes, keepDims);
    return [tensorInfo(x.type, shape, combine ? reducedValue(x, combine) : null)];
  };
}

function reducedValue(x: TensorInfo, combine: (a: Dim, b: Dim) => Dim): Dim[] | null {
  if (x.value === null || x.value.length === 0 || x.shape?.length !== 1) return null;
  return [x.value.reduce(combine)];
}

const argument: ShapeRule = (at) => {
  const { shape } = inputAt(at, 0);
  const keepDims = intAttribute(at.node, 'keepdims', 1) === 1;
  return [
    tensorInfo('int64', shape && reducedShape(shape, [intAttribute(at.node, 'axis', 0)], keepDims)),
  ];
};

const topK: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  if (shape === null) return [tensorInfo(type, null), tensorInfo('int64', null)];
  const k = hasInput(at, 1)
    ? (inputAt(at, 1).value?.[0] ?? null)
    : intAttribute(at.node, 'k', null);
  const result = withDim(shape, normalizeAxis(intAttribute(at.node, 'axis', -1), shape.length), k);
  return [tensorInfo(type, result), tensorInfo('int64', result)];
};

/** The rule of operators that return a vector whose length depends on the values. */
const dataDependentVector =
  (type: DataType | null): ShapeRule =>
  (at) => [tensorInfo(type ?? inputAt(at, 0).type, [null])];

const bothNumbers =
  (f: (a: number, b: number) => number) =>
  (a: Dim, b: Dim): Dim =>
    typeof a === 'number' && typeof b === 'number' ? f(a, b) : null;

/** Shape rules of reductions. */
export const reduction: RuleTable = {
  ReduceSum: reduce((a, b) => addDims(a, b)),
  ReduceProd: reduce(multiplyDims),
  ReduceMax: reduce(bothNumbers(Math.max)),
  ReduceMin: reduce(bothNumbers(Math.min)),
  ...each('ReduceMean ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare', reduce()),
  ...each('ArgMax ArgMin', argument),
  TopK: topK,
  Unique: dataDependentVector(null),
};
