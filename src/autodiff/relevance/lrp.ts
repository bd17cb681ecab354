import {
  each,
  type Graph,
  intAttribute,
  type Node,
  operatorKey,
  producersOf,
  topologicalSort,
} from '../../onnx/index.ts';
import { ownEntry } from '../../own-entry.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { RuleLookup } from '../mark-path.ts';
import type { Ops } from '../ops.ts';
import {
  type GradientRule,
  type RuleContext,
  type RuleEntry,
  type RuleTable,
  rule,
} from '../rule.ts';
import { gradientRules } from '../rules/index.ts';
import { findActivations } from './activations.ts';
import { checkBox } from './check-box.ts';
import {
  applied,
  gradientAt,
  type LinearLayer,
  linearLayer,
  negativePart,
  positivePart,
  reads,
  share,
  varyingTensors,
} from './linear.ts';

/** How a linear layer z = x w + b propagates the relevance R of its output to its input. */
export type LrpRule = 'epsilon' | 'gamma' | 'alpha-beta' | 'z-plus' | 'excitation' | 'flat' | 'box';

/** The rules of the layers, and their parameters. */
export interface LrpOptions {
  /** The rule of the first convolution. */
  readonly first: LrpRule;
  /** The rule of all other convolutions. `excitation` selects excitation backprop. */
  readonly convolution: LrpRule;
  /** The rule of dense layers. */
  readonly dense: LrpRule;
  /** ε of `epsilon`, which is added to the absolute value of the layer's output. */
  readonly epsilon: number;
  /** γ of `gamma`, 0 or more. */
  readonly gamma: number;
  /** α of `alpha-beta`. β is α - 1. */
  readonly alpha: number;
  /**
   * For `box`: the smallest and the largest value that each channel of the preprocessed picture can
   * have.
   */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Stabiliser ε for divisors that only must not be zero. */
const tiny = 1e-9;

type Propagate = (
  ops: Ops,
  layer: LinearLayer,
  r: string,
  options: LrpOptions,
  at: RuleContext,
) => string;

/** R_x = x ⊙ (R / (z + ε sign z)) wᵀ */
const epsilon: Propagate = (ops, { x, w, backward }, r, options, at) =>
  ops.mul(x, backward(share(ops, r, at.output(0), options.epsilon), w));

/**
 * The positive and negative parts of x, and the parts of w for which their products have the sign
 * of `part`: x⁺ `same` and x⁻ `opposite`.
 */
function bySign(ops: Ops, { x, w }: LinearLayer, part: typeof positivePart) {
  const other = part === positivePart ? negativePart : positivePart;
  return {
    px: positivePart(ops, x),
    nx: negativePart(ops, x),
    same: part(ops, w),
    opposite: other(ops, w),
  };
}

/**
 * Like `epsilon`, but products and biases with the sign of the output count 1 + γ times. The
 * absolute value of their sum is at least that of the output, so divisors do not become small.
 */
const gamma: Propagate = (ops, layer, r, { gamma: more }, at) => {
  const { w, b, forward, backward } = layer;
  const favoured = (value: string, own: string): string => ops.add(value, ops.scale(own, more));
  const alongPart = (part: typeof positivePart, chosen: string): string => {
    const { px, nx, same, opposite } = bySign(ops, layer, part);
    const [ofPositive, ofNegative] = [favoured(w, same), favoured(w, opposite)];
    const z = ops.add(
      forward(px, ofPositive, b === '' ? '' : favoured(b, part(ops, b))),
      forward(nx, ofNegative),
    );
    const s = ops.mul(chosen, share(ops, r, z, tiny));
    return ops.add(ops.mul(px, backward(s, ofPositive)), ops.mul(nx, backward(s, ofNegative)));
  };
  const [isAbove, isBelow] = [ops.above(at.output(0)), ops.below(at.output(0))];
  return ops.add(alongPart(positivePart, isAbove), alongPart(negativePart, isBelow));
};

/** The relevance along the products of one sign, in proportion to x⁺ w± + x⁻ w∓. */
function alongSign(ops: Ops, layer: LinearLayer, r: string, part: typeof positivePart): string {
  const { b, forward, backward } = layer;
  const { px, nx, same, opposite } = bySign(ops, layer, part);
  const z = ops.add(forward(px, same, b === '' ? '' : part(ops, b)), forward(nx, opposite));
  const s = share(ops, r, z, tiny);
  return ops.add(ops.mul(px, backward(s, same)), ops.mul(nx, backward(s, opposite)));
}

/** α times the relevance along positive products, minus α - 1 times that along negative ones. */
const alphaBeta: Propagate = (ops, layer, r, { alpha }) => {
  const up = ops.scale(alongSign(ops, layer, r, positivePart), alpha);
  return alpha === 1
    ? up
    : ops.sub(up, ops.scale(alongSign(ops, layer, r, negativePart), alpha - 1));
};

const zPlus: Propagate = (ops, layer, r) => alongSign(ops, layer, r, positivePart);

/**
 * Excitation backprop (Zhang et al. 2016): the probability of an input to be chosen, in proportion
 * to its excitatory products. This is z-plus without the bias.
 */
const excitation: Propagate = (ops, layer, r) =>
  alongSign(ops, { ...layer, b: '' }, r, positivePart);

/** Every input of a window gets the same share. */
const flat: Propagate = (ops, { x, w, forward, backward }, r) => {
  const ones = (like: string): string => ops.add(ops.zerosLike(like), ops.scalar(1, like));
  return backward(share(ops, r, forward(ones(x), ones(w)), tiny), ones(w));
};

/** For inputs between l and h: R_x = (x wᵀ - l w⁺ᵀ - h w⁻ᵀ) ⊙ R / (z - l w⁺ - h w⁻) */
const box: Propagate = (ops, { x, w, forward, backward }, r, { low, high }) => {
  const bound = (values: readonly number[]): string =>
    ops.expandLike(ops.constant(values, [1, values.length, 1, 1], 'float32'), x);
  const own = { value: x, weights: w };
  const least = { value: bound(low), weights: positivePart(ops, w) };
  const largest = { value: bound(high), weights: negativePart(ops, w) };
  const difference = (of: (part: typeof own) => string): string => {
    const [a, b, c] = [of(own), of(least), of(largest)];
    return ops.sub(ops.sub(a, b), c);
  };
  const z = difference(({ value, weights }) => forward(value, weights));
  const s = share(ops, r, z, tiny);
  return difference(({ value, weights }) => ops.mul(value, backward(s, weights)));
};

const propagations: Readonly<Record<LrpRule, Propagate>> = {
  epsilon,
  gamma,
  'alpha-beta': alphaBeta,
  'z-plus': zPlus,
  excitation,
  flat,
  box,
};

/** The first input gets all of the relevance. */
const pass: GradientRule = (at, [r]) => at.node.inputs.map((_, i) => (i === 0 ? r : ''));

/**
 * The part of an operand that gets relevance. This is the whole operand, or in excitation backprop
 * its positive part, so that no share is negative.
 */
const sharing = (ops: Ops, x: string, excites: boolean): string =>
  excites ? positivePart(ops, x) : x;

/** A linear operator without weights: R_x = x ⊙ Jᵀ (R / z) */
const proportional = (excites: boolean): GradientRule => {
  return (at, [r]) => {
    const x = sharing(at.ops, at.input(0), excites);
    const z = excites ? applied(at, [x, ...at.node.inputs.slice(1)]) : at.output(0);
    return [at.ops.mul(x, gradientAt(at, 0, share(at.ops, r, z, tiny), {}))];
  };
};

/** y = (x - mean(x)) d γ + β, linear if 1 / d is treated as a constant (Ali et al. 2022). */
const layerNormalization: GradientRule = (at, [r]) => {
  const { ops } = at;
  const rank = at.shape(0).length;
  const axis = intAttribute(at.node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = Array.from({ length: rank - from }, (_, i) => from + i);
  const g = ops.mul(ops.mul(share(ops, r, at.output(0), tiny), at.input(1)), at.output(2));
  return [ops.mul(at.input(0), ops.sub(g, ops.reduce('ReduceMean', g, axes)))];
};

/**
 * z = x ± c with a constant c. The relevance of c is dropped. In excitation backprop biases get no
 * relevance, so x gets all of it.
 */
const besideConstant = (index: number, excites: boolean): GradientRule => {
  return (at, [r]) => {
    const { ops } = at;
    if (excites) return index === 0 ? [r] : ['', r];
    const part = ops.mul(at.input(index), share(ops, r, at.output(0), tiny));
    if (index === 0) return [part];
    return ['', at.node.opType === 'Sub' ? ops.op('Neg', [part]) : part];
  };
};

/** z = a ± b: R_a = R a / z, R_b = ±R b / z. */
const sum = (excites: boolean): GradientRule => {
  return (at, [r]) => {
    const { ops, node } = at;
    const parts = node.inputs.map((_, i) =>
      sharing(
        ops,
        node.opType === 'Sub' && i === 1 ? ops.op('Neg', [at.input(i)]) : at.input(i),
        excites,
      ),
    );
    const z = excites ? ops.add(elementAt(parts, 0), elementAt(parts, 1)) : at.output(0);
    const s = share(ops, r, z, tiny);
    return parts.map((part) => ops.mul(part, s));
  };
};

/** Normalisations that pass relevance on unchanged. */
const passingNormalizations = new Set(
  `RMSNormalization SimplifiedLayerNormalization InstanceNormalization GroupNormalization LRN
  LpNormalization MeanVarianceNormalization`.split(/\s+/),
);
/** Elementwise operators and normalisations that pass relevance on unchanged. */
const elementByElement = `Relu Clip LeakyRelu PRelu Elu Selu Celu ThresholdedRelu Shrink Sigmoid
  HardSigmoid HardSwish Swish Mish Softplus Softsign Tanh
  Gelu Softmax LogSoftmax com.microsoft:Gelu com.microsoft:QuickGelu
  com.microsoft:FastGelu Neg Abs Sqrt Exp Log Reciprocal Erf Pow
  ${[...passingNormalizations].join(' ')}`;

/** The rule of a node whose first input gets all of its relevance. */
export const passing: RuleEntry = rule(pass, { stop: [1, 2, 3, 4] });

/** The rule of a node of which input `index` gets all of the relevance. */
function passingTo(node: Node, index: number): RuleEntry {
  const others = node.inputs.flatMap((_, i) => (i === index ? [] : [i]));
  return rule((_, [r = '']) => node.inputs.map((_, i) => (i === index ? r : '')), { stop: others });
}

const shared = (excites: boolean): RuleTable => ({
  ...each(elementByElement, passing),
  ...each(
    'QuantizeLinear DequantizeLinear com.microsoft:QuantizeLinear com.microsoft:DequantizeLinear',
    rule(pass, { stop: [1, 2], straightThrough: true }),
  ),
  ...each(
    'AveragePool GlobalAveragePool ReduceMean ReduceSum Resize Upsample',
    rule(proportional(excites), { stop: [1, 2, 3, 4] }),
  ),
  BatchNormalization: excites ? passing : rule(proportional(false), { stop: [1, 2, 3, 4] }),
  LayerNormalization: excites ? passing : rule(layerNormalization, { stop: [1, 2] }),
});

/** Data that the rules of all nodes of a graph share. */
interface Plan {
  readonly options: LrpOptions;
  /** Whether the method is excitation backprop. */
  readonly excites: boolean;
  readonly varying: ReadonlySet<string>;
  readonly producers: ReadonlyMap<string, Node>;
  /** Whether a tensor is a gate. */
  readonly isGate: (tensor: string) => boolean;
}

/** The rule of a linear layer whose constant operand is input `weights`. */
function linear(options: LrpOptions, kind: LrpRule, weights: 0 | 1): RuleEntry {
  return rule(
    (at, [r]) => {
      const layer = linearLayer(at, weights);
      const own = isDenseConvolution(at) ? options.dense : kind;
      const result = propagations[own](at.ops, layer, r, options, at);
      return layer.index === 0 ? [result] : ['', result];
    },
    { stop: [weights, 2] },
  );
}

/**
 * Whether a tensor is the output of a normalization, possibly scaled. A bias that is added to it is
 * then part of the normalization.
 */
function isNormalized(plan: Plan, name: string): boolean {
  const { producers, varying } = plan;
  const maker = producers.get(name);
  if (!maker || !varying.has(name)) return false;
  if (passingNormalizations.has(operatorKey(maker))) return true;
  const signals = maker.inputs.filter((input) => varying.has(input));
  const [only = ''] = signals;
  const isCarried = signals.length === 1 && ['Reshape', 'Mul'].includes(maker.opType);
  return isCarried && isNormalized(plan, only);
}

/** The rule of a node with one signal, input `index`, and one constant. */
function besideOne(plan: Plan, node: Node, index: 0 | 1): RuleEntry {
  const { options, excites } = plan;
  const other = index === 0 ? 1 : 0;
  if (node.opType === 'MatMul') return linear(options, options.dense, other);
  if (node.opType === 'Add' && isNormalized(plan, node.inputs[index] ?? ''))
    return passingTo(node, index);
  if (node.opType === 'Add' || node.opType === 'Sub')
    return rule(besideConstant(index, excites), { stop: [other] });
  return rule((_, [r]) => (index === 0 ? [r] : ['', r]), { stop: [other] });
}

/** The rule of a node with two operands. It depends on which of them are signals. */
function binary(plan: Plan, node: Node): RuleEntry {
  const { excites, varying, isGate } = plan;
  const positions = [0, 1] as const;
  const [only, ...others] = positions.filter((i) => reads(node, i, varying));
  if (only !== undefined && others.length === 0) return besideOne(plan, node, only);
  if (node.opType === 'Add' || node.opType === 'Sub') return rule(sum(excites));
  if (node.opType === 'Div') return rule(pass, { stop: [1] });
  const gates = positions.filter((i) => isGate(node.inputs[i] ?? ''));
  const receivers = gates.length === 1 ? positions.filter((i) => !gates.includes(i)) : positions;
  return rule(
    (at, [r]) =>
      positions.map((i) =>
        receivers.includes(i) ? product(at, i, r, { receivers: receivers.length, excites }) : '',
      ),
    { stop: gates.length === 1 ? gates : [] },
  );
}

/**
 * The rules of layer-wise relevance propagation for a graph. Linear layers use the rules in
 * `options`. Sums and means distribute relevance in proportion to their parts, and the relevance of
 * constants is dropped. Activations pass relevance on unchanged, whether they are one operator or
 * several. Maxima give it to the largest element. In a product of two signals both get half, but a
 * gate or attention gets nothing (Ali et al. 2022).
 * @throws FoveaError `unsupported` if the box rule does not apply to the graph.
 */
export function lrpRules(graph: Graph, options: LrpOptions): RuleLookup {
  const varying = varyingTensors(graph);
  const producers = producersOf(graph);
  const excites = options.convolution === 'excitation';
  const others = shared(excites);
  const first = topologicalSort(graph.nodes).find(
    (node) => node.opType === 'Conv' && reads(node, 0, varying),
  );
  if (options.first === 'box') checkBox(first, producers);
  const { isGate, routeOf } = findActivations(graph, varying);
  const plan: Plan = { options, excites, varying, producers, isGate };
  return (node) => {
    const key = operatorKey(node);
    const route = routeOf(node);
    if (route !== undefined) return passingTo(node, route);
    if (key === 'Conv' || key === 'ConvTranspose')
      return linear(options, node === first ? options.first : options.convolution, 1);
    if (key === 'Gemm' && !reads(node, 1, varying)) return linear(options, options.dense, 1);
    if (['Add', 'Sub', 'Mul', 'Div', 'MatMul'].includes(key)) return binary(plan, node);
    // This includes MaxPool: like the gradient, the relevance goes to the largest element.
    return ownEntry(others, key) ?? ownEntry(gradientRules, key);
  };
}

/** Whether a node is a dense layer in the form of a 1 × 1 convolution on maps of one pixel. */
function isDenseConvolution(at: RuleContext): boolean {
  if (at.node.opType !== 'Conv') return false;
  const sizes = [...at.shape(0).slice(2), ...at.shape(1).slice(2)];
  return sizes.every((size) => size === 1);
}

/**
 * The relevance of one operand of an elementwise or matrix product. `receivers` operands share the
 * relevance of the product equally.
 */
function product(
  at: RuleContext,
  index: number,
  r: string,
  { receivers, excites }: { readonly receivers: number; readonly excites: boolean },
): string {
  const { ops } = at;
  const part = ops.scale(r, 1 / receivers);
  if (at.node.opType !== 'MatMul') return part;
  const x = sharing(ops, at.input(index), excites);
  const z = excites
    ? applied(
        at,
        [0, 1].map((i) => (i === index ? x : at.input(i))),
      )
    : at.output(0);
  return ops.mul(x, gradientAt(at, index, share(ops, part, z, tiny), {}));
}
