import { intAttribute, intsAttribute, stringAttribute } from '../attributes.ts';
import type { DataType } from '../data-types.ts';
import type { Dim, Shape } from '../graph.ts';
import { broadcastDims, broadcastShapes, divideDims, multiplyDims } from './dim.ts';
import {
  hasInput,
  inputAt,
  type RuleContext,
  type RuleTable,
  type ShapeRule,
  tensorInfo,
} from './rule.ts';

/** The shape of a @ b, by NumPy's rules for vectors and batch axes. */
function matMulShape(a: Shape | null, b: Shape | null): Shape | null {
  if (a === null || b === null || a.length === 0 || b.length === 0) return null;
  const left = a.length === 1 ? [1, ...a] : a;
  const right = b.length === 1 ? [...b, 1] : b;
  const batch = broadcastShapes([left.slice(0, -2), right.slice(0, -2)]) ?? [];
  const rows = a.length === 1 ? [] : [left.at(-2) ?? null];
  const columns = b.length === 1 ? [] : [right.at(-1) ?? null];
  return [...batch, ...rows, ...columns];
}

const matMul: ShapeRule = (at) => {
  const [a, b] = [inputAt(at, 0), inputAt(at, 1)];
  return [tensorInfo(a.type ?? b.type, matMulShape(a.shape, b.shape))];
};

/** The rule of a MatMul whose result has a fixed element type. */
function matMulOf(type: DataType): ShapeRule {
  return (at) => [tensorInfo(type, matMulShape(inputAt(at, 0).shape, inputAt(at, 1).shape))];
}

/**
 * The inputs are a, its scale and zero point, b, its scale and zero point, and the scale and zero
 * point of the result.
 */
const quantizedMatMul: ShapeRule = (at) => [
  tensorInfo(inputAt(at, 7).type, matMulShape(inputAt(at, 0).shape, inputAt(at, 3).shape)),
];

function swapLast(shape: Shape | null): Shape | null {
  if (shape === null || shape.length < 2) return shape;
  const [rows = null, columns = null] = shape.slice(-2);
  return [...shape.slice(0, -2), columns, rows];
}

/**
 * The shape after `transBatchA` or `transBatchB`, which moves the first axis before the last one.
 */
function batchTransposed(shape: Shape | null): Shape | null {
  if (shape === null || shape.length < 3) return shape;
  const [first = null, ...rest] = shape;
  return [...rest.slice(0, -1), first, ...rest.slice(-1)];
}

const fusedMatMul: ShapeRule = (at) => {
  const operand = (index: number, letter: string): Shape | null => {
    const { shape } = inputAt(at, index);
    const moved =
      intAttribute(at.node, `transBatch${letter}`, 0) === 1 ? batchTransposed(shape) : shape;
    return intAttribute(at.node, `trans${letter}`, 0) === 1 ? swapLast(moved) : moved;
  };
  return [tensorInfo(inputAt(at, 0).type, matMulShape(operand(0, 'A'), operand(1, 'B')))];
};

function gemmShape(at: RuleContext, a: Shape | null, b: Shape | null): Shape {
  const rows = a?.[intAttribute(at.node, 'transA', 0) === 1 ? 1 : 0] ?? null;
  const columns = b?.[intAttribute(at.node, 'transB', 0) === 1 ? 0 : 1] ?? null;
  return [rows, columns];
}

const gemm: ShapeRule = (at) => [
  tensorInfo(inputAt(at, 0).type, gemmShape(at, inputAt(at, 0).shape, inputAt(at, 1).shape)),
];

/** The result is float32 if the node has no scale for it. */
const quantizedGemm: ShapeRule = (at) => {
  const type = hasInput(at, 7) ? inputAt(at, 8).type : 'float32';
  return [tensorInfo(type, gemmShape(at, inputAt(at, 0).shape, inputAt(at, 3).shape))];
};

const blockMatMul: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  return [tensorInfo(type, shape && [...shape.slice(0, -1), intAttribute(at.node, 'N', null)])];
};

/**
 * The labels of the axes of an Einsum operand: its letters, and one label `...n` per axis that
 * `...` stands for.
 */
function einsumLabels(term: string, rank: number | undefined): string[] {
  const [before = '', after] = term.split('...');
  if (after === undefined) return [...before];
  const count = Math.max(0, (rank ?? before.length + after.length) - before.length - after.length);
  return [...before, ...Array.from({ length: count }, (_, i) => `...${count - i}`), ...after];
}

const einsum: ShapeRule = (at) => {
  const equation = stringAttribute(at.node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const sizes = new Map<string, Dim>();
  const counts = new Map<string, number>();
  for (const [index, term] of left.split(',').entries()) {
    const { shape } = inputAt(at, index);
    if (shape === null) return [tensorInfo(inputAt(at, 0).type, null)];
    for (const [axis, label] of einsumLabels(term, shape.length).entries()) {
      sizes.set(label, broadcastDims(sizes.get(label) ?? 1, shape[axis] ?? null));
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
  }
  const ellipsis = [...sizes.keys()]
    .filter((label) => label.startsWith('...'))
    .sort()
    .reverse();
  const single = [...counts]
    .filter(([label, count]) => count === 1 && !label.startsWith('...'))
    .map(([label]) => label);
  const implicit = [...ellipsis, ...single.sort()];
  const labels =
    right === undefined
      ? implicit
      : [...right.replace('...', '.')].flatMap((label) => (label === '.' ? ellipsis : label));
  return [
    tensorInfo(
      inputAt(at, 0).type,
      labels.map((label) => sizes.get(label) ?? null),
    ),
  ];
};

/**
 * com.microsoft Attention. The weights contain the projections of query, key and value along their
 * last axis.
 */
const attention: ShapeRule = (at) => {
  const [x, weights, bias] = [inputAt(at, 0), inputAt(at, 1), inputAt(at, 2)];
  const sizes = intsAttribute(at.node, 'qkv_hidden_sizes');
  const projected = weights.shape?.[1] ?? bias.shape?.[0] ?? null;
  const hidden = sizes?.[2] ?? divideDims(projected, 3);
  return [tensorInfo(x.type, x.shape && [...x.shape.slice(0, 2), hidden])];
};

const quantizedAttention: ShapeRule = (at) => {
  const { shape } = inputAt(at, 0);
  const hidden = divideDims(inputAt(at, 1).shape?.[1] ?? null, 3);
  return [tensorInfo(inputAt(at, 3).type, shape && [...shape.slice(0, 2), hidden])];
};

/**
 * com.microsoft MultiHeadAttention. The query is [N, L, hidden], or [N, L, heads, 3, size] if it
 * also contains key and value.
 */
const multiHeadAttention: ShapeRule = (at) => {
  const [query, key, value] = [inputAt(at, 0), inputAt(at, 1), inputAt(at, 2)];
  const { type, shape } = query;
  if (shape === null) return [tensorInfo(type, null)];
  const heads = (packed: Shape | null): Dim =>
    multiplyDims(packed?.[2] ?? null, packed?.[4] ?? null);
  let hidden: Dim = null;
  if (shape.length === 5) hidden = heads(shape);
  else if (!hasInput(at, 2)) hidden = heads(key.shape);
  else if (value.shape?.length === 4)
    hidden = multiplyDims(value.shape[1] ?? null, value.shape[3] ?? null);
  else hidden = value.shape?.[2] ?? null;
  return [tensorInfo(type, [shape[0] ?? null, shape[1] ?? null, hidden])];
};

/** Attention of opset 23. Its inputs are [N, heads, L, size] or [N, L, heads * size]. */
const standardAttention: ShapeRule = (at) => {
  const [query, value] = [inputAt(at, 0), inputAt(at, 2)];
  const { type, shape } = query;
  if (shape === null || value.shape === null) return [tensorInfo(type, null)];
  if (shape.length === 4) return [tensorInfo(type, [...shape.slice(0, 3), value.shape[3] ?? null])];
  const heads = divideDims(value.shape[2] ?? null, intAttribute(at.node, 'kv_num_heads', null));
  return [
    tensorInfo(type, [
      shape[0] ?? null,
      shape[1] ?? null,
      multiplyDims(heads, intAttribute(at.node, 'q_num_heads', null)),
    ]),
  ];
};

/** Shape rules of matrix products and attention. */
export const linalg: RuleTable = {
  MatMul: matMul,
  Gemm: gemm,
  Einsum: einsum,
  MatMulInteger: matMulOf('int32'),
  QLinearMatMul: quantizedMatMul,
  Attention: standardAttention,
  'com.microsoft:FusedMatMul': fusedMatMul,
  'com.microsoft:TransposeMatMul': fusedMatMul,
  'com.microsoft:FusedGemm': gemm,
  'com.microsoft:QGemm': quantizedGemm,
  'com.microsoft:DynamicQuantizeMatMul': matMulOf('float32'),
  'com.microsoft:MatMulIntegerToFloat': matMulOf('float32'),
  'com.microsoft:MatMulNBits': blockMatMul,
  'com.microsoft:Attention': attention,
  'com.microsoft:QAttention': quantizedAttention,
  'com.microsoft:MultiHeadAttention': multiHeadAttention,
};
