import {
  dataInputs,
  floatAttribute,
  freshNames,
  type Graph,
  intAttribute,
  namesOf,
  operatorKey,
  renameNode,
} from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { RuleLookup } from '../mark-path.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, type RuleEntry, rule } from '../rule.ts';
import { gradientRules } from '../rules/index.ts';
import { type Quantized, quantized } from '../rules/quantization.ts';
import { applied, gradientAt, reads, varyingTensors } from './linear.ts';

/** A graph that also computes the values of its tensors for a reference input. */
export interface ReferencedGraph {
  readonly graph: Graph;
  /** The input that takes the reference. Its batch size is 1 or that of the original input. */
  readonly reference: string;
  /** The name of a tensor's value for the reference. For a constant, it is the constant itself. */
  referenceOf(tensor: string): string;
}

/**
 * Adds a copy of all nodes that depend on `input`. The copy reads a new input [1, …] for the
 * reference. Both copies share the weights.
 */
export function withReference(graph: Graph, input: string): ReferencedGraph {
  const varying = varyingTensors({
    ...graph,
    inputs: dataInputs(graph).filter(({ name }) => name === input),
  });
  const fresh = freshNames(namesOf(graph));
  const names = new Map([...varying].map((name) => [name, fresh(`${name}/reference`)]));
  const referenceOf = (tensor: string): string => names.get(tensor) ?? tensor;
  const copies = graph.nodes
    .filter((node) => node.outputs.some((name) => varying.has(name)))
    .map((node) => {
      const name = fresh(`${node.name || node.outputs.find(Boolean)}/reference/node`);
      return { ...renameNode(node, names), name };
    });
  const declared = graph.inputs.find(({ name }) => name === input);
  const inputs = declared
    ? [
        ...graph.inputs,
        {
          ...declared,
          name: referenceOf(input),
          shape: declared.shape && [1, ...declared.shape.slice(1)],
        },
      ]
    : graph.inputs;
  return {
    graph: { ...graph, nodes: [...graph.nodes, ...copies], inputs },
    reference: referenceOf(input),
    referenceOf,
  };
}

/** The tensors of a node, for the input and for the reference. */
interface Pair {
  readonly at: RuleContext;
  readonly ops: Ops;
  /** Input `i` for the reference. */
  input(i: number): string;
  output(): string;
  /** The mean of input `i` and of its value for the reference. */
  mean(i: number): string;
}

type PairRule = (pair: Pair, m: string) => readonly string[];

/**
 * If the difference of the inputs is smaller than this, the derivative replaces the ratio Δy / Δx,
 * because rounding errors would dominate the ratio. For smooth functions the derivative is taken at
 * the mean of both inputs. There it differs from the ratio by about the square of the difference
 * times the third derivative / 24.
 */
const smallest = { straight: 1e-10, smooth: 1e-2 };

/** Functions whose curvature grows towards 0. For them, the threshold is relative to the input. */
const singular = new Set(['Sqrt', 'Pow', 'Log', 'Reciprocal']);

/**
 * m Δy / Δx. If |Δx| is not above the threshold, it is `derivative`, which must already contain the
 * factor m.
 */
function rescaled(
  ops: Ops,
  m: string,
  dx: string,
  dy: string,
  derivative: string,
  threshold: string,
): string {
  const isSmall = ops.op('Not', [ops.op('Greater', [ops.op('Abs', [dx]), threshold])]);
  const ratio = ops.div(dy, ops.op('Where', [isSmall, ops.scalar(1, dx), dx]));
  return ops.op('Where', [isSmall, derivative, ops.mul(m, ratio)]);
}

/** y = f(x) elementwise, with a piecewise linear f. The rescale rule is m_x = m Δy / Δx. */
const straightPieces: PairRule = ({ at, ops, input, output }, m) => {
  const dx = ops.sub(at.input(0), input(0));
  return [
    rescaled(
      ops,
      m,
      dx,
      ops.sub(at.output(0), output()),
      gradientAt(at, 0, m, {}),
      ops.scalar(smallest.straight, dx),
    ),
  ];
};

/** The rescale rule for a smooth f. */
const smoothCurve: PairRule = ({ at, ops, input, output, mean }, m) => {
  const dx = ops.sub(at.input(0), input(0));
  const middle = mean(0);
  const others = at.node.inputs.slice(1).map((_, i) => at.input(i + 1));
  const derivative = gradientAt(at, 0, m, { 0: middle }, applied(at, [middle, ...others]));
  const threshold = singular.has(at.node.opType)
    ? ops.scale(ops.op('Abs', [middle]), smallest.smooth)
    : ops.scalar(smallest.smooth, dx);
  return [rescaled(ops, m, dx, ops.sub(at.output(0), output()), derivative, threshold)];
};

/**
 * y = a b: Δy = ā Δb + b̄ Δa, with the means ā and b̄ over input and reference. So a and b share
 * the product of their changes equally.
 */
const product: PairRule = ({ at, mean }, m) =>
  [0, 1].map((i) => (at.needs(i) ? gradientAt(at, i, m, { [1 - i]: mean(1 - i) }) : ''));

/** y = a / b: Δy = mean(1 / b) Δa - ā Δb / (b b') */
const quotient: PairRule = ({ at, ops, input, mean }, m) => {
  const [b, reference] = [at.input(1), input(1)];
  const over = ops.div(m, ops.mul(b, reference));
  return [ops.mul(over, mean(1)), at.needs(1) ? ops.op('Neg', [ops.mul(over, mean(0))]) : ''];
};

/** The logarithmic mean (a - b) / (log a - log b) of a and b, given by their logarithms. */
function logarithmicMean(ops: Ops, logA: string, logB: string): string {
  const difference = ops.sub(logA, logB);
  const isSmall = ops.op('Less', [
    ops.op('Abs', [difference]),
    ops.scalar(smallest.smooth, difference),
  ]);
  const ratio = ops.div(
    ops.sub(ops.op('Exp', [logA]), ops.op('Exp', [logB])),
    ops.op('Where', [isSmall, ops.scalar(1, difference), difference]),
  );
  return ops.op('Where', [isSmall, ops.op('Exp', [ops.scale(ops.add(logA, logB), 0.5)]), ratio]);
}

/**
 * y = exp(z), z = x - L, L = log Σ exp(x). With the logarithmic mean M: Δy = M(y, y') Δz and ΔL = Σ
 * M(exp(x), exp(x')) Δx / M(exp(L), exp(L')). To avoid overflow, all exponentials in ΔL are divided
 * by exp((L + L') / 2).
 */
const softmax: PairRule = ({ at, ops, input }, m) => {
  const rank = at.shape(0).length;
  const given = intAttribute(at.node, 'axis', at.opset < 13 ? 1 : -1);
  const from = given < 0 ? given + rank : given;
  const axes = at.opset < 13 ? Array.from({ length: rank - from }, (_, i) => from + i) : [from];
  const [x, x0] = [at.input(0), input(0)];
  const logSum = (value: string): string => {
    const most = ops.reduce('ReduceMax', value, axes);
    return ops.add(
      most,
      ops.op('Log', [ops.reduceSum(ops.op('Exp', [ops.sub(value, most)]), axes)]),
    );
  };
  const [l, l0] = [logSum(x), logSum(x0)];
  const middle = ops.scale(ops.add(l, l0), 0.5);
  const mz = ops.mul(m, logarithmicMean(ops, ops.sub(x, l), ops.sub(x0, l0)));
  const parts = logarithmicMean(ops, ops.sub(x, middle), ops.sub(x0, middle));
  const whole = logarithmicMean(ops, ops.sub(l, middle), ops.sub(l0, middle));
  return [ops.sub(mz, ops.mul(ops.div(parts, whole), ops.reduceSum(mz, axes)))];
};

/**
 * y = c r γ + β, c = x - mean(x), r = (mean(c²) + ε)^(-1/2): Δr = -(r r')² / (r + r')
 * Δmean(c²), Δc² = 2 c̄ Δc
 */
const layerNormalization: PairRule = ({ at, ops, input }, m) => {
  const rank = at.shape(0).length;
  const axis = intAttribute(at.node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = Array.from({ length: rank - from }, (_, i) => from + i);
  const average = (value: string): string => ops.reduce('ReduceMean', value, axes);
  const epsilon = floatAttribute(at.node, 'epsilon', 1e-5);
  const centered = (value: string): string => ops.sub(value, average(value));
  const inverseDeviation = (value: string): string =>
    ops.op('Reciprocal', [
      ops.op('Sqrt', [ops.add(average(ops.mul(value, value)), ops.scalar(epsilon, value))]),
    ]);
  const [x, x0] = [at.input(0), input(0)];
  const [c, c0] = [centered(x), centered(x0)];
  const [r, r0] = [inverseDeviation(c), inverseDeviation(c0)];
  const [meanC, meanR] = [ops.scale(ops.add(c, c0), 0.5), ops.scale(ops.add(r, r0), 0.5)];
  const g = ops.mul(m, at.input(1));
  const both = ops.mul(r, r0);
  const byDeviation = ops.div(
    ops.mul(ops.mul(both, both), average(ops.mul(g, meanC))),
    ops.add(r, r0),
  );
  const mc = ops.sub(ops.mul(g, meanR), ops.mul(ops.scale(meanC, 2), byDeviation));
  return [ops.sub(mc, average(mc))];
};

/**
 * y = max of a window. The change from y' to max(y, y') is assigned to the pixel with the maximum
 * of the input. The change from max(y, y') to y is assigned to the pixel with the maximum of the
 * reference.
 */
const maxPool: PairRule = ({ at, ops, input, output }, m) => {
  const [x, y, x0, y0] = [
    at.input(0),
    at.output(0),
    ops.expandLike(input(0), at.input(0)),
    ops.expandLike(output(), at.output(0)),
  ];
  const most = ops.op('Max', [y, y0]);
  const rising = gradientAt(at, 0, ops.mul(m, ops.sub(most, y0)), {});
  const falling = gradientAt(at, 0, ops.mul(m, ops.sub(y, most)), { 0: x0 }, y0);
  const dx = ops.sub(x, x0);
  const isSmall = ops.op('Less', [ops.op('Abs', [dx]), ops.scalar(smallest.straight, dx)]);
  const ratio = ops.div(
    ops.add(rising, falling),
    ops.op('Where', [isSmall, ops.scalar(1, dx), dx]),
  );
  return [ops.op('Where', [isSmall, gradientAt(at, 0, m, {}), ratio])];
};

/**
 * The slope Δy / Δx of y = max(x, 0), elementwise. It is the derivative, 1 or 0, if Δx is very
 * small.
 */
function slopeOfRelu(ops: Ops, x: string, reference: string): string {
  const rectified = (value: string): string => ops.op('Relu', [value]);
  const dy = ops.sub(rectified(x), rectified(reference));
  const one = ops.add(ops.zerosLike(x), ops.scalar(1, x));
  const dx = ops.sub(x, reference);
  return rescaled(ops, one, dx, dy, ops.above(x), ops.scalar(smallest.straight, dx));
}

/**
 * The maximum or minimum of signals. max(a, b) = b + max(a - b, 0), so Δy = k Δa + (1 - k) Δb with
 * the slope k of this ReLU. For more than two signals, a is the extremum of all signals before b.
 */
const extremum: PairRule = ({ at, ops, input }, m) => {
  const { inputs, opType } = at.node;
  const isMax = opType === 'Max';
  const best = { now: at.input(0), before: input(0) };
  const shares = [m];
  for (let i = 1; i < inputs.length; i++) {
    const [b, b0] = [at.input(i), input(i)];
    const [gap, gap0] = [
      [best.now, b],
      [best.before, b0],
    ].map(([x = '', y = '']) => (isMax ? ops.sub(x, y) : ops.sub(y, x)));
    const k = slopeOfRelu(ops, gap ?? '', gap0 ?? '');
    for (const [j, part] of shares.entries()) shares[j] = ops.mul(part, k);
    shares.push(ops.mul(m, ops.sub(ops.scalar(1, k), k)));
    best.now = ops.op(opType, [best.now, b]);
    best.before = ops.op(opType, [best.before, b0]);
  }
  return shares.map((part, i) => (at.needs(i) ? part : ''));
};

/**
 * y = c ? a : b. If c is the same for input and reference, Δy = Δa or Δy = Δb. Otherwise all of Δy
 * is assigned to the operand that is chosen for the input: m_a = m Δy / Δa. If that operand is a
 * constant, it is assigned to the other operand.
 */
const choice: PairRule = ({ at, ops, input, output }, m) => {
  const [now = '', before] = [at.node.inputs[0], input(0)];
  const isSame = ops.op('Not', [ops.op('Xor', [now, before])]);
  const none = ops.scalar(0, m);
  const dy = ops.sub(at.output(0), output());
  const both = at.needs(1) && at.needs(2);
  return [
    '',
    ...[1, 2].map((i) => {
      if (!at.needs(i)) return '';
      const isChosen = i === 1 ? now : ops.op('Not', [now]);
      const dx = ops.sub(at.input(i), input(i));
      const crossing = rescaled(ops, m, dx, dy, none, ops.scalar(smallest.straight, dx));
      const other = both ? ops.op('Where', [isChosen, crossing, none]) : crossing;
      return ops.op('Where', [isSame, ops.op('Where', [isChosen, m, none]), other]);
    }),
  ];
};

/**
 * y = round(x), limited to the range of the codes. The rescale rule of the limits, without the
 * rounding.
 */
const quantization: PairRule = ({ at, ops, input, output }, m) => {
  const [x, x0] = [at.input(0), input(0)];
  const [now, before] = [quantized(at, x, at.node.outputs[0] ?? ''), quantized(at, x0, output())];
  const cut = (from: string, { isInside, value }: Quantized): string =>
    ops.op('Where', [isInside, from, value]);
  const dx = ops.sub(x, x0);
  const slope = ops.op('Where', [now.isInside, m, ops.scalar(0, m)]);
  const dy = ops.sub(cut(x, now), cut(x0, before));
  return [rescaled(ops, m, dx, dy, slope, ops.scalar(smallest.straight, dx))];
};

const straight = new Set(
  'Relu Clip LeakyRelu PRelu HardSigmoid ThresholdedRelu Shrink Abs'.split(' '),
);
const smooth = new Set(
  `Elu Selu Celu Sigmoid HardSwish Swish Mish Softplus Softsign Tanh Gelu com.microsoft:Gelu
  com.microsoft:QuickGelu
  com.microsoft:FastGelu Sqrt Exp Log Erf Reciprocal Sin Cos Pow`.split(/\s+/),
);

/**
 * The rules of DeepLIFT (rescale) for a graph. Gradients become multipliers m with Σ m_x Δx = Δy
 * exactly. The paper defines no rule for products, maxima of signals, softmax and layer
 * normalization. Here their operands share the change of the output. Other normalizations (group,
 * instance, local response, Lp) use their gradient and are not exact.
 */
export function deepLiftRules({ graph, referenceOf }: ReferencedGraph): RuleLookup {
  const varying = varyingTensors(graph);
  const paired = (
    pairRule: PairRule,
    { stop = [] as readonly number[], straightThrough = false } = {},
  ): RuleEntry => {
    const wrapped: GradientRule = (at, [m]) => {
      const { ops, node } = at;
      const wide = (name: string): string =>
        ops.info(name).type === 'float16' || ops.info(name).type === 'bfloat16'
          ? ops.cast(name, 'float32')
          : name;
      const input = (i: number): string => wide(referenceOf(at.name(i)));
      const mean = (i: number): string => ops.scale(ops.add(at.input(i), input(i)), 0.5);
      return pairRule(
        { at, ops, input, mean, output: () => wide(referenceOf(elementAt(node.outputs, 0))) },
        m,
      );
    };
    return rule(wrapped, { stop, straightThrough });
  };
  return (node) => {
    const key = operatorKey(node);
    if (straight.has(key)) return paired(straightPieces, { stop: [1, 2] });
    if (smooth.has(key)) return paired(smoothCurve, { stop: [1, 2] });
    if (key === 'MaxPool' || key === 'GlobalMaxPool') return paired(maxPool);
    if (key === 'ReduceMax') return paired(maxPool, { stop: [1] });
    if (key === 'Softmax') return paired(softmax);
    if (key === 'LayerNormalization') return paired(layerNormalization, { stop: [1, 2] });
    if (key === 'Max' || key === 'Min') return paired(extremum);
    if (key === 'Where') return paired(choice, { stop: [0] });
    if (key === 'QuantizeLinear' || key === 'com.microsoft:QuantizeLinear')
      return paired(quantization, { stop: [1, 2], straightThrough: true });
    const both = reads(node, 0, varying) && reads(node, 1, varying);
    if (both && ['Mul', 'MatMul', 'Einsum', 'Gemm'].includes(key)) return paired(product);
    if (both && key === 'Div') return paired(quotient);
    return gradientRules[key];
  };
}
