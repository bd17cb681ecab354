import { intsAttribute } from '../attributes.ts';
import type { DataType } from '../data-types.ts';
import { type Dim, isStatic, type Node, type Shape, type TensorType } from '../graph.ts';

/** The inferred information on a tensor. */
export interface TensorInfo extends TensorType {
  /**
   * The elements of a small tensor of known shape, in row-major order, or null if they are unknown.
   * They are needed for the arithmetic on shapes in exports. An element may be symbolic, or null if
   * only other elements are known.
   */
  readonly value: readonly Dim[] | null;
}

/** One node with the inferred information on its inputs. */
export interface RuleContext {
  readonly node: Node;
  /** Version of the operator set of the node. */
  readonly opset: number;
  /** One element per declared input. Inputs that are left out are `unknown`. */
  readonly inputs: readonly TensorInfo[];
}

/**
 * Infers the outputs of a node from its inputs. Outputs that are missing in the result are unknown.
 */
export type ShapeRule = (at: RuleContext) => readonly TensorInfo[];

/**
 * The shape rules of one family, by operator type. Outside the default domain, the key is
 * `domain:OpType`.
 */
export type RuleTable = Readonly<Record<string, ShapeRule>>;

/** Values with more elements are not computed. */
export const largestValue = 1024;

/** A tensor of unknown type, shape and value. */
export const unknown: TensorInfo = { type: null, shape: null, value: null };

/** A dimension, or null if it is not a valid size. A broken file can lead to -3, 1.5 or NaN. */
const sizeOrNull = (dim: Dim | undefined): Dim =>
  typeof dim === 'number' && !(Number.isSafeInteger(dim) && dim >= 0) ? null : (dim ?? null);

/**
 * The information on a tensor. A value is dropped if it does not match the shape or is too large.
 */
export function tensorInfo(
  type: DataType | null,
  dims: Shape | null,
  value: readonly Dim[] | null = null,
): TensorInfo {
  const shape = dims && Array.from(dims, sizeOrNull);
  const fits =
    value !== null &&
    value.length <= largestValue &&
    isStatic(shape) &&
    sizeOf(shape) === value.length;
  return { type, shape, value: fits ? value : null };
}

/** Number of elements of a static shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Input `index`, or `unknown` if it is left out. */
export function inputAt(at: RuleContext, index: number): TensorInfo {
  return at.inputs[index] ?? unknown;
}

/** Whether the node has input `index`. */
export function hasInput(at: RuleContext, index: number): boolean {
  return (at.node.inputs[index] ?? '') !== '';
}

/** A shape of known rank with unknown dimensions. */
export function ofRank(rank: number): Shape {
  return new Array<Dim>(rank).fill(null);
}

/**
 * A shape with as many unknown dimensions as a shape tensor has elements. Null if this number is
 * not known.
 */
export function ofRankIn(shapeTensor: TensorInfo): Shape | null {
  const rank = shapeTensor.shape?.[0];
  return typeof rank === 'number' && rank <= largestRank ? ofRank(rank) : null;
}

/** Largest rank. No runtime supports a higher rank, but a broken file may contain one. */
const largestRank = 64;

/** An axis counted from the front. */
export function normalizeAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The shape with the dimension at `axis` replaced. */
export function withDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((old, i) => (i === axis ? dim : old));
}

/** The value of input `index` as plain numbers. Null if any element is not known. */
export function numbersAt(at: RuleContext, index: number): readonly number[] | null {
  const { value } = inputAt(at, index);
  return value?.every((element) => typeof element === 'number')
    ? (value as readonly number[])
    : null;
}

/**
 * A list that is an attribute in older opsets and input `index` in newer ones. Undefined if the
 * node has neither, null if the input is not known.
 */
export function listAt(
  at: RuleContext,
  name: string,
  index: number,
): readonly number[] | null | undefined {
  if (hasInput(at, index)) return numbersAt(at, index);
  return intsAttribute(at.node, name);
}

/** The rule of operators whose first output has the type and shape of the first input. */
export const sameAsInput: ShapeRule = (at) => [
  tensorInfo(inputAt(at, 0).type, inputAt(at, 0).shape),
];
