import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/index.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, rule, zero } from '../rule.ts';
import type { FamilyRules } from './families.ts';

/** The rule dx = dy f'(x, y) of an elementwise function. */
function elementwise(derivative: (at: RuleContext, ops: Ops) => string): GradientRule {
  return (at, [dy]) => [at.ops.mul(dy, derivative(at, at.ops))];
}

/** 1 - x */
const complement = (ops: Ops, x: string): string => ops.sub(ops.scalar(1, x), x);

/** y = max(x, 0): dx = dy [y > 0] */
const relu = elementwise((at, ops) => ops.above(at.output(0)));

/**
 * A bound of a Clip. Before opset 11 it is an attribute. Undefined if there is no bound, null if
 * the model computes it.
 */
function bound(at: RuleContext, name: string, index: number): number | null | undefined {
  if (at.opset < 11) return floatAttribute(at.node, name);
  return at.has(index) ? (at.numbers(index)?.[0] ?? null) : undefined;
}

/** Bounds beyond this have no effect. */
const largestFloat = 3.4028234e38;

/**
 * y = min(max(x, low), high): dx = dy [low < y] [y < high]. At the bounds the gradient is 0, as in
 * PyTorch's hardtanh.
 */
const clip: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const y = at.output(0);
  const [low, high] = [bound(at, 'min', 1), bound(at, 'max', 2)];
  let dx = dy;
  if (low === null) dx = ops.mul(dx, ops.above(ops.sub(y, at.input(1))));
  else if (low !== undefined && low > -largestFloat) dx = ops.mul(dx, ops.above(y, low));
  if (high === null) dx = ops.mul(dx, ops.above(ops.sub(at.input(2), y)));
  else if (high !== undefined && high < largestFloat) dx = ops.mul(dx, ops.below(y, high));
  return [dx];
};

/** a where x > 0, b elsewhere. */
function select(ops: Ops, x: string, a: string, b: string): string {
  return ops.op('Where', [ops.op('Greater', [x, ops.scalar(0, x)]), a, b]);
}

/** y = x for x > 0, a x elsewhere: dx = dy (a + (1 - a) [x > 0]) */
const leakyRelu: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const alpha = floatAttribute(at.node, 'alpha', 0.01);
  const gate = ops.scale(ops.above(at.input(0)), 1 - alpha);
  return [ops.mul(dy, ops.add(gate, ops.scalar(alpha, dy)))];
};

/** y = x for x > 0, a x elsewhere, a an input: dx = dy (1 or a), da = dy min(x, 0) */
const pRelu: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const [x, slope] = [at.input(0), at.input(1)];
  const dx = at.needs(0) ? select(ops, x, dy, ops.mul(dy, slope)) : '';
  const da = at.needs(1) ? select(ops, x, ops.scalar(0, dy), ops.mul(dy, x)) : '';
  return [dx, da];
};

/** y = x for x > 0, a (exp(x) - 1) elsewhere: f' = 1 or y + a */
const elu = elementwise((at, ops) => {
  const y = at.output(0);
  const alpha = floatAttribute(at.node, 'alpha', 1);
  return select(ops, at.input(0), ops.scalar(1, y), ops.add(y, ops.scalar(alpha, y)));
});

/** y = g x for x > 0, g a (exp(x) - 1) elsewhere: f' = g or y + g a */
const selu = elementwise((at, ops) => {
  const y = at.output(0);
  const alpha = floatAttribute(at.node, 'alpha', 1.6732632423543772);
  const gamma = floatAttribute(at.node, 'gamma', 1.0507009873554805);
  return select(ops, at.input(0), ops.scalar(gamma, y), ops.add(y, ops.scalar(gamma * alpha, y)));
});

/** y = x for x > 0, a (exp(x / a) - 1) elsewhere: f' = 1 or y / a + 1 */
const celu = elementwise((at, ops) => {
  const y = at.output(0);
  const alpha = floatAttribute(at.node, 'alpha', 1);
  return select(
    ops,
    at.input(0),
    ops.scalar(1, y),
    ops.add(ops.scale(y, 1 / alpha), ops.scalar(1, y)),
  );
});

/** y = x for x > a, 0 elsewhere: f' = [x > a] */
const thresholdedRelu = elementwise((at, ops) =>
  ops.above(at.input(0), floatAttribute(at.node, 'alpha', 1)),
);

/** y = x + bias for x < -l, x - bias for x > l, 0 between: f' = [|x| > l] */
const shrink = elementwise((at, ops) =>
  ops.above(ops.op('Abs', [at.input(0)]), floatAttribute(at.node, 'lambd', 0.5)),
);

/** f' = y (1 - y) */
const sigmoid = elementwise((at, ops) => ops.mul(at.output(0), complement(ops, at.output(0))));

/** y = max(0, min(1, a x + b)): f' = a [0 < y] [y < 1] */
const hardSigmoid = elementwise((at, ops) => {
  const y = at.output(0);
  return ops.scale(ops.mul(ops.above(y), ops.below(y, 1)), floatAttribute(at.node, 'alpha', 0.2));
});

/** y = x h(x), h = max(0, min(1, x / 6 + 1/2)): f' = h + x [0 < h] [h < 1] / 6 */
const hardSwish = elementwise((at, ops) => {
  const x = at.input(0);
  const h = ops.op('HardSigmoid', [x], { alpha: { type: 'float', value: 1 / 6 }, beta: 0.5 });
  const inside = ops.mul(ops.above(h), ops.below(h, 1));
  return ops.add(h, ops.mul(ops.scale(x, 1 / 6), inside));
});

/** y = x s(a x): f' = s + a y (1 - s) */
const swish = elementwise((at, ops) => {
  const alpha = floatAttribute(at.node, 'alpha', at.node.opType === 'QuickGelu' ? 1.702 : 1);
  const s = ops.op('Sigmoid', [ops.scale(at.input(0), alpha)]);
  return ops.add(s, ops.mul(ops.scale(at.output(0), alpha), complement(ops, s)));
});

/** y = x t, t = tanh(softplus(x)): f' = t + x (1 - t²) s(x) */
const mish = elementwise((at, ops) => {
  const x = at.input(0);
  const t = ops.op('Tanh', [ops.op('Softplus', [x])]);
  const inner = ops.mul(complement(ops, ops.mul(t, t)), ops.op('Sigmoid', [x]));
  return ops.add(t, ops.mul(x, inner));
});

/** y = log(1 + exp(x)): f' = s(x) */
const softplus = elementwise((at, ops) => ops.op('Sigmoid', [at.input(0)]));

/** y = x / (1 + |x|): f' = (1 - |y|)² */
const softsign = elementwise((at, ops) => {
  const rest = complement(ops, ops.op('Abs', [at.output(0)]));
  return ops.mul(rest, rest);
});

/** f' = 1 - y² */
const tanh = elementwise((at, ops) => complement(ops, ops.mul(at.output(0), at.output(0))));

/** y = x Φ(x), u = x / √2: f' = Φ(x) + x φ(x) = (1 + erf(u)) / 2 + u exp(-u²) / √π */
function geluDerivative(ops: Ops, x: string): string {
  const u = ops.scale(x, Math.SQRT1_2);
  const erf = ops.op('Erf', [u]);
  const isFloat = ops.info(x).type === 'float32';
  const cumulative = isFloat
    ? ops.op('HardSigmoid', [erf], { alpha: 0.5, beta: 0.5 })
    : ops.add(ops.scale(erf, 0.5), ops.scalar(0.5, x));
  // The factor 1 / √π is added in the exponent, to save a pass over the tensor.
  const bell = ops.op('Exp', [ops.sub(ops.scalar(-0.5 * Math.log(Math.PI), x), ops.mul(u, u))]);
  return ops.add(cumulative, ops.mul(u, bell));
}

/**
 * y = x (1 + t) / 2, t = tanh(c (x + 0.044715 x³)), c = √(2 / π).
 *
 * f' = (1 + t) / 2 + x (1 - t²) c (1 + 3 · 0.044715 x²) / 2
 */
function tanhGeluDerivative(ops: Ops, x: string): string {
  const c = Math.sqrt(2 / Math.PI);
  const square = ops.mul(x, x);
  const one = ops.scalar(1, x);
  const t = ops.op('Tanh', [ops.mul(ops.scale(x, c), ops.add(ops.scale(square, 0.044715), one))]);
  const slope = ops.mul(
    complement(ops, ops.mul(t, t)),
    ops.add(ops.scale(square, 3 * 0.044715 * c), ops.scalar(c, x)),
  );
  return ops.scale(ops.add(ops.add(t, one), ops.mul(x, slope)), 0.5);
}

const gelu = elementwise((at, ops) => {
  const isTanh = stringAttribute(at.node, 'approximate', 'none') === 'tanh';
  return isTanh ? tanhGeluDerivative(ops, at.input(0)) : geluDerivative(ops, at.input(0));
});

/** y = gelu(x + b): dx = db = dy gelu'(x + b) */
function biased(derivative: (ops: Ops, x: string) => string): GradientRule {
  return (at, [dy]) => {
    const x = at.has(1) ? at.ops.add(at.input(0), at.input(1)) : at.input(0);
    const dx = at.ops.mul(dy, derivative(at.ops, x));
    return [dx, dx];
  };
}

/** The axes of a Softmax. Before opset 13 these are all axes from `axis` on. */
function softmaxAxes(at: RuleContext): number[] {
  const rank = at.shape(0).length;
  const axis = intAttribute(at.node, 'axis', at.opset < 13 ? 1 : -1);
  const from = axis < 0 ? axis + rank : axis;
  return at.opset < 13 ? Array.from({ length: rank - from }, (_, i) => from + i) : [from];
}

/** y = exp(x) / Σ exp(x): dx = y (dy - Σ y dy) */
const softmax: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const y = at.output(0);
  const axes = softmaxAxes(at);
  const isLast = axes.length === 1 && axes[0] === at.shape(0).length - 1;
  const [owner, left, right] = (isLast && ops.shorterSums.get(dy)) || ['', y, dy];
  // dy may also be the gradient of another tensor, such as y + c.
  const [a, b] = owner === y ? [left, right] : [y, dy];
  return [ops.mul(y, ops.sub(dy, ops.reduceSum(ops.mul(a, b), axes)))];
};

/** y = x - log Σ exp(x): dx = dy - exp(y) Σ dy */
const logSoftmax: GradientRule = (at, [dy]) => {
  const { ops } = at;
  return [ops.sub(dy, ops.mul(ops.op('Exp', [at.output(0)]), ops.reduceSum(dy, softmaxAxes(at))))];
};

/** Gradients of activation functions. */
export const activation: FamilyRules<'activation'> = {
  Relu: rule(relu),
  Clip: rule(clip, { stop: [1, 2] }),
  LeakyRelu: rule(leakyRelu),
  PRelu: rule(pRelu),
  Elu: rule(elu),
  Selu: rule(selu),
  Celu: rule(celu),
  ThresholdedRelu: rule(thresholdedRelu),
  Shrink: rule(shrink),
  Sigmoid: rule(sigmoid),
  HardSigmoid: rule(hardSigmoid),
  HardSwish: rule(hardSwish),
  Swish: rule(swish),
  Mish: rule(mish),
  Softplus: rule(softplus),
  Softsign: rule(softsign),
  Tanh: rule(tanh),
  Gelu: rule(gelu),
  Softmax: rule(softmax),
  LogSoftmax: rule(logSoftmax),
  Hardmax: zero('the one-hot vector of the maximum is constant almost everywhere'),
  'com.microsoft:Gelu': rule(gelu),
  'com.microsoft:QuickGelu': rule(swish),
  'com.microsoft:BiasGelu': rule(biased(geluDerivative)),
  'com.microsoft:FastGelu': rule(biased(tanhGeluDerivative)),
};
