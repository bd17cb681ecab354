import { intsAttribute } from '../attributes.ts';
import type { DataType } from '../data-types.ts';
import { type Dim, isStatic, type Node, type Shape, type TensorType } from '../graph.ts';

/** What inference knows of a tensor. */
export interface TensorInfo extends TensorType {
  /**
   * The elements of a small tensor of known shape, in row-major order, where known: the arithmetic
   * that exporters do on shapes. An element may be symbolic, or null where only the others are
   * known.
   */
  readonly value: readonly Dim[] | null;
}

/** One node with what is known of its inputs. */
export interface RuleContext {
  readonly node: Node;
  /** Version of the operator set the node is from. */
  readonly opset: number;
  /** One a declared input; those left out are unknown. */
  readonly inputs: readonly TensorInfo[];
}

/** What a node's outputs are, given its inputs; outputs that are not told are unknown. */
export type ShapeRule = (at: RuleContext) => readonly TensorInfo[];

/** The rules of one family, by operator type (`com.microsoft:Gelu` outside the default domain). */
export type RuleTable = Readonly<Record<string, ShapeRule>>;

/** Values of more elements than this are not followed. */
export const largestValue = 1024;

/** A tensor of which nothing is known. */
export const unknown: TensorInfo = { type: null, shape: null, value: null };

/** A size that a tensor can have; what a broken file leads to (-3, 1.5, NaN) is not known. */
const sizeOrNull = (dim: Dim | undefined): Dim =>
  typeof dim === 'number' && !(Number.isSafeInteger(dim) && dim >= 0) ? null : (dim ?? null);

/** What is known of a tensor; a value that does not fit the shape or is too large is dropped. */
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

/** Input `index`; unknown where it is left out. */
export function inputAt(at: RuleContext, index: number): TensorInfo {
  return at.inputs[index] ?? unknown;
}

/** Whether the node is given input `index`. */
export function hasInput(at: RuleContext, index: number): boolean {
  return (at.node.inputs[index] ?? '') !== '';
}

/** A shape of known rank with nothing else known. */
export function ofRank(rank: number): Shape {
  return new Array<Dim>(rank).fill(null);
}

/**
 * A shape with as many unknown dimensions as a shape tensor has elements; null where that is not
 * known.
 */
export function ofRankIn(shapeTensor: TensorInfo): Shape | null {
  const rank = shapeTensor.shape?.[0];
  return typeof rank === 'number' && rank <= largestRank ? ofRank(rank) : null;
}

/** No runtime goes further; a broken file may. */
const largestRank = 64;

/** An axis counted from the front. */
export function normalizeAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** The shape with the dimension at `axis` replaced. */
export function withDim(shape: Shape, axis: number, dim: Dim): Shape {
  return shape.map((old, i) => (i === axis ? dim : old));
}

/** The value of input `index` as plain numbers; null if any of it is not known. */
export function numbersAt(at: RuleContext, index: number): readonly number[] | null {
  const { value } = inputAt(at, index);
  return value?.every((element) => typeof element === 'number')
    ? (value as readonly number[])
    : null;
}

/**
 * A list that is an attribute in older opsets and input `index` in newer ones; undefined where the
 * node has neither, null where it is computed and unknown.
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
