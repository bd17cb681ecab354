import { type Graph, type Node, operatorKey } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { RuleLookup } from '../mark-path.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleEntry, rule } from '../rule.ts';
import { findActivations } from './activations.ts';
import {
  gradientAt,
  linearLayer,
  negativePart,
  positivePart,
  reads,
  varyingTensors,
} from './linear.ts';
import { lrpRules, passing } from './lrp.ts';

/** r / z, or 0 if z is 0. */
function quotient(ops: Ops, r: string, z: string): string {
  // `Equal` cannot be used, because it does not accept floats before opset 11.
  const isZero = ops.op('Not', [ops.op('Greater', [ops.op('Abs', [z]), ops.scalar(0, z)])]);
  return ops.op('Where', [
    isZero,
    ops.zerosLike(z),
    ops.div(r, ops.op('Where', [isZero, ops.scalar(1, z), ops.add(z, ops.scalar(1e-9, z))])),
  ]);
}

/**
 * z = x⁺ w⁺ + x⁻ w⁻, without the bias: R_x = x⁺ ⊙ (R / z) w⁺ᵀ + x⁻ ⊙ (R / z)
 * w⁻ᵀ
 */
const linear = (weights: 0 | 1): RuleEntry =>
  rule(
    (at, [r]) => {
      const { ops } = at;
      const { x, w, index, forward, backward } = linearLayer(at, weights);
      const [px, nx, pw, nw] = [
        positivePart(ops, x),
        negativePart(ops, x),
        positivePart(ops, w),
        negativePart(ops, w),
      ];
      const s = quotient(ops, r, ops.add(forward(px, pw), forward(nx, nw)));
      const result = ops.add(ops.mul(px, backward(s, pw)), ops.mul(nx, backward(s, nw)));
      return index === 0 ? [result] : ['', result];
    },
    { stop: [weights, 2] },
  );

/** Sums over all axes but the batch axis. */
function total(ops: Ops, x: string): string {
  const axes = Array.from({ length: ops.shape(x).length - 1 }, (_, i) => i + 1);
  return ops.reduceSum(x, axes);
}

/**
 * z = a + b. Relevance is distributed in proportion to a and b. Then both parts are scaled, so that
 * their sum is the relevance of z and their ratio is |Σ R_a| to |Σ R_b|.
 */
const sum: GradientRule = (at, [r]) => {
  const { ops } = at;
  const s = quotient(ops, r, at.output(0));
  const parts = [0, 1].map((i) => ops.mul(at.input(i), s));
  const sums = parts.map((part) => total(ops, part));
  const sizes = sums.map((value) => ops.op('Abs', [value]));
  const both = ops.add(elementAt(sizes, 0), elementAt(sizes, 1));
  return parts.map((part, i) => {
    const wanted = ops.mul(quotient(ops, elementAt(sizes, i), both), total(ops, r));
    return ops.mul(part, quotient(ops, wanted, elementAt(sums, i)));
  });
};

/**
 * z = a b of two signals, such as q kᵀ or A v. Each signal gets half of the relevance, in
 * proportion to its elements.
 */
const product: GradientRule = (at, [r]) => {
  const s = at.ops.scale(quotient(at.ops, r, at.output(0)), 0.5);
  return [0, 1].map((i) => (at.needs(i) ? at.ops.mul(at.input(i), gradientAt(at, i, s, {})) : ''));
};

/**
 * The rules of transformer attribution (Chefer et al. 2021, deep Taylor decomposition with α = 1).
 * The gradient by an attention map becomes its relevance. Linear layers, sums and products
 * distribute relevance, and all other operators use the rules of LRP.
 */
export function transformerAttributionRules(graph: Graph): RuleLookup {
  const varying = varyingTensors(graph);
  const unused = {
    low: [],
    high: [],
    epsilon: 0,
    gamma: 0,
    alpha: 1,
    first: 'z-plus',
    convolution: 'z-plus',
    dense: 'z-plus',
  } as const;
  const others = lrpRules(graph, unused);
  const { routeOf } = findActivations(graph, varying);
  const signals = (node: Node): number[] => [0, 1].filter((i) => reads(node, i, varying));
  return (node) => {
    const key = operatorKey(node);
    if (routeOf(node) !== undefined) return others(node);
    const moving = signals(node);
    const [first = 0] = moving;
    if (key === 'Conv') return linear(1);
    if ((key === 'Gemm' || key === 'MatMul') && moving.length === 1)
      return linear(first === 0 ? 1 : 0);
    if ((key === 'MatMul' || key === 'Einsum') && moving.length === 2) return rule(product);
    if (key === 'Add' && moving.length === 2) return rule(sum);
    if (key === 'Add')
      return rule((_, [r]) => (first === 0 ? [r] : ['', r]), { stop: [1 - first] });
    if (key === 'LayerNormalization') return passing;
    return others(node);
  };
}
