import { floatAttribute, intAttribute, type Shape, stringAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import {
  forEach,
  type GradientRule,
  type RuleContext,
  type RuleTable,
  refused,
  rule,
} from '../rule.ts';

/** Swaps the last two axes. */
function transposed(ops: Ops, x: string): string {
  const rank = ops.shape(x).length;
  return ops.transpose(x, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}

/**
 * y = a b over batches: da = dy bᵀ, db = aᵀ dy; Σ_k a_ik da_ik = Σ_j y_ij dy_ij, which a
 * Softmax before it sums.
 */
const matMul: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const [left, right] = [at.shape(0), at.shape(1)];
  // A vector is a row on the left and a column on the right.
  const a = left.length === 1 ? ops.unsqueeze(at.input(0), [0]) : at.input(0);
  const b = right.length === 1 ? ops.unsqueeze(at.input(1), [1]) : at.input(1);
  const columns = right.length === 1 ? ops.unsqueeze(dy, [ops.shape(dy).length]) : dy;
  const full =
    left.length === 1 ? ops.unsqueeze(columns, [ops.shape(columns).length - 1]) : columns;
  const da = at.needs(0) ? ops.op('MatMul', [full, transposed(ops, b)]) : '';
  const db = at.needs(1) ? ops.op('MatMul', [transposed(ops, a), full]) : '';
  const isShorter =
    left.length > 1 && right.length > 1 && Number(right.at(-1)) < Number(left.at(-1));
  if (da !== '' && isShorter) ops.shorterSums.set(da, [at.input(0), at.output(0), full]);
  return [vector(ops, da, left, -2), vector(ops, db, right, -1)];
};

/** Takes the axis that a vector was given away again. */
function vector(ops: Ops, gradient: string, shape: Shape, axis: number): string {
  if (gradient === '' || shape.length > 1) return gradient;
  return ops.squeeze(gradient, [ops.shape(gradient).length + axis]);
}

/** y = α op(a) op(b) + β c */
const gemm: GradientRule = (at, [dy]) => {
  const { node, ops } = at;
  const [alpha, beta] = [floatAttribute(node, 'alpha', 1), floatAttribute(node, 'beta', 1)];
  const [transA, transB] = [intAttribute(node, 'transA', 0), intAttribute(node, 'transB', 0)];
  const product = (left: string, right: string, ta: number, tb: number): string =>
    ops.op('Gemm', [left, right, ...(ops.opset < 11 ? [ops.constant([0], [1], 'float32')] : [])], {
      alpha: { type: 'float', value: alpha },
      transA: ta,
      transB: tb,
    });
  let [da, db] = ['', ''];
  if (at.needs(0))
    da = transA ? product(at.input(1), dy, transB, 1) : product(dy, at.input(1), 0, 1 - transB);
  if (at.needs(1))
    db = transB ? product(dy, at.input(0), 1, transA) : product(at.input(0), dy, 1 - transA, 0);
  return [da, db, at.needs(2) ? ops.scale(dy, beta) : ''];
};

/** The terms of an Einsum, its output written out. */
function einsumTerms(at: RuleContext): { inputs: string[]; output: string } {
  const equation = stringAttribute(at.node, 'equation', '').replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  const inputs = left.split(',');
  if (right !== undefined) return { inputs, output: right };
  const letters = [...left.replaceAll('.', '').replaceAll(',', '')];
  const once = letters
    .filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter))
    .sort();
  return { inputs, output: (left.includes('...') ? '...' : '') + once.join('') };
}

/** y = Σ a b over the letters that y has not: da is the same sum with a and y exchanged. */
const einsum: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const { inputs, output } = einsumTerms(at);
  if (
    [...inputs, output].some(
      (term) => new Set(term.replace('...', '')).size < term.replace('...', '').length,
    )
  )
    at.refuse('an equation without diagonals');
  return node.inputs.map((name, index) => {
    if (!at.needs(index)) return '';
    const others = inputs.flatMap((term, i) =>
      i === index ? [] : [{ term, tensor: at.input(i) }],
    );
    const available = new Set([output, ...others.map(({ term }) => term)].join(''));
    const wanted = elementAt(inputs, index);
    // A letter that is summed in this operand only: its gradient is the same all along it.
    const kept = [...wanted].filter((letter) => available.has(letter)).join('');
    const equation = `${[output, ...others.map(({ term }) => term)].join()}->${kept}`;
    const gradient = ops.op('Einsum', [dy, ...others.map(({ tensor }) => tensor)], { equation });
    if (kept === wanted) return gradient;
    if (wanted.includes('.'))
      at.refuse('an equation without an ellipsis beside letters of one operand only');
    const missing = [...wanted].flatMap((letter, axis) => (available.has(letter) ? [] : [axis]));
    return ops.expandLike(ops.unsqueeze(gradient, missing), name);
  });
};

const integers =
  'integer arithmetic has no gradient; use the float model, or an export with ' +
  'QuantizeLinear and DequantizeLinear around float operators';

/** Gradients of matrix products. Attention is decomposed before. */
export const linalg: RuleTable = {
  MatMul: rule(matMul),
  Gemm: rule(gemm),
  Einsum: rule(einsum),
  ...forEach(
    `MatMulInteger QLinearMatMul com.microsoft:QGemm com.microsoft:DynamicQuantizeMatMul
    com.microsoft:MatMulIntegerToFloat com.microsoft:QAttention com.microsoft:MatMulNBits
    ConvInteger QLinearConv com.microsoft:QLinearAveragePool
    com.microsoft:QLinearGlobalAveragePool com.microsoft:QLinearConcat`,
    refused(integers),
  ),
  ...forEach(
    `Attention com.microsoft:Attention com.microsoft:MultiHeadAttention
    com.microsoft:FusedMatMul com.microsoft:TransposeMatMul
    com.microsoft:FusedGemm com.microsoft:FusedConv`,
    refused('this form of the fused operator cannot be decomposed'),
  ),
};
