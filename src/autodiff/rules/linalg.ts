import { floatAttribute, intAttribute, type Shape } from '../../onnx/index.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, rule } from '../rule.ts';
import type { FamilyRules } from './families.ts';

/** Swaps the last two axes. */
function transposed(ops: Ops, x: string): string {
  const rank = ops.shape(x).length;
  return ops.transpose(x, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2]);
}

/**
 * y = a b for each matrix of a batch: da = dy bᵀ, db = aᵀ dy. The gradient of a Softmax that
 * computes a needs Σ_k a_ik da_ik, which equals Σ_j y_ij dy_ij. If y has fewer columns than a, the
 * second sum is recorded in `shorterSums`.
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

/** Removes the axis that was added to a vector. */
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

/** Gradients of matrix products. `decomposeFused` has decomposed Attention before. */
export const linalg: FamilyRules<'linalg'> = {
  MatMul: rule(matMul),
  Gemm: rule(gemm),
};
