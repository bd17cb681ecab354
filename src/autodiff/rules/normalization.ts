import { floatAttribute, intAttribute, intsAttribute, isStatic } from '../../onnx/index.ts';
import { type GradientRule, type RuleContext, rule } from '../rule.ts';
import { partOf } from './axes.ts';
import type { FamilyRules } from './families.ts';

/**
 * y = (x - m) s / sqrt(v + ε) + b with constant statistics. dx is the same operator on dy, with m =
 * b = 0.
 */
const batchNormalization: GradientRule = (at, [dy]) => {
  const { node, ops } = at;
  if (intAttribute(node, 'training_mode', 0) === 1)
    at.refuse('inference mode (training_mode=0): export the model with eval()');
  const channels = at.shape(1)[0];
  if (typeof channels !== 'number') at.refuse('the number of its channels');
  const zeros = ops.constant(
    new Float32Array(channels as number),
    [channels as number],
    ops.info(dy).type ?? 'float32',
  );
  return [
    ops.op('BatchNormalization', [dy, at.input(1), zeros, zeros, at.input(4)], {
      epsilon: floatAttribute(node, 'epsilon', 1e-5),
    }),
  ];
};

/**
 * y = x̂ = (x - mean) r with r = 1 / deviation over `axes`: dx = r (g - mean(g) - x̂ mean(g x̂)).
 * It is computed from x instead of x̂, to save two passes over the tensor: with k = r² (mean(g x) -
 * mean mean(g)), dx = r (g - (k x + mean(g) - k mean)).
 */
function normalized(
  at: RuleContext,
  g: string,
  mean: string,
  r: string,
  axes: readonly number[],
  x = at.input(0),
): string {
  const { ops } = at;
  const average = (value: string): string => ops.reduce('ReduceMean', value, axes);
  const gMean = average(g);
  const k = ops.mul(ops.mul(r, r), ops.sub(average(ops.mul(g, x)), ops.mul(mean, gMean)));
  const correction = ops.add(ops.mul(x, k), ops.sub(gMean, ops.mul(k, mean)));
  return ops.mul(ops.sub(g, correction), r);
}

/**
 * y = x̂ γ + β over the axes from `axis` on. The mean and 1 / deviation are outputs of the
 * operator.
 */
const layerNormalization: GradientRule = (at, [dy]) => {
  const rank = at.shape(0).length;
  const axis = intAttribute(at.node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = Array.from({ length: rank - from }, (_, i) => from + i);
  if (at.needs(1) || at.needs(2))
    at.refuse('scale and bias that do not depend on the tensor to differentiate by');
  return [normalized(at, at.ops.mul(dy, at.input(1)), at.output(1), at.output(2), axes)];
};

/** y = x r γ, r = 1 / sqrt(mean(x²) + ε), g = dy γ: dx = r (g - x r² mean(g x)) */
const rmsNormalization: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const rank = at.shape(0).length;
  const axis = intAttribute(node, 'axis', -1);
  const from = axis < 0 ? axis + rank : axis;
  const axes = Array.from({ length: rank - from }, (_, i) => from + i);
  if (at.needs(1)) at.refuse('a scale that does not depend on the tensor to differentiate by');
  const x = at.input(0);
  const variance = ops.reduce('ReduceMean', ops.mul(x, x), axes);
  const epsilon = ops.scalar(floatAttribute(node, 'epsilon', 1e-5), x);
  const r = ops.op('Reciprocal', [ops.op('Sqrt', [ops.add(variance, epsilon)])]);
  const g = ops.mul(dy, at.input(1));
  const shared = ops.mul(ops.mul(r, r), ops.reduce('ReduceMean', ops.mul(g, x), axes));
  return [ops.mul(r, ops.sub(g, ops.mul(x, shared)))];
};

/** The mean and 1 / deviation of x over some axes. */
function statistics(
  at: RuleContext,
  x: string,
  axes: readonly number[],
): { mean: string; r: string } {
  const { ops } = at;
  const mean = ops.reduce('ReduceMean', x, axes);
  const centred = ops.sub(x, mean);
  const variance = ops.reduce('ReduceMean', ops.mul(centred, centred), axes);
  const epsilon = ops.scalar(floatAttribute(at.node, 'epsilon', 1e-5), x);
  return { mean, r: ops.op('Reciprocal', [ops.op('Sqrt', [ops.add(variance, epsilon)])]) };
}

/** Reshapes a tensor [C] to [C, 1, …], so that it broadcasts to [N, C, …] with `rank` axes. */
function perChannel(at: RuleContext, x: string, rank: number): string {
  return at.ops.unsqueeze(
    x,
    Array.from({ length: rank - 2 }, (_, i) => i + 1),
  );
}

/** y = x̂ γ + β, where x̂ is normalised over the spatial axes of each channel. */
const instanceNormalization: GradientRule = (at, [dy]) => {
  const rank = at.shape(0).length;
  const axes = Array.from({ length: rank - 2 }, (_, i) => i + 2);
  if (at.needs(1) || at.needs(2))
    at.refuse('scale and bias that do not depend on the tensor to differentiate by');
  const { mean, r } = statistics(at, at.input(0), axes);
  return [normalized(at, at.ops.mul(dy, perChannel(at, at.input(1), rank)), mean, r, axes)];
};

/**
 * y = x̂ γ + β, where x̂ is normalised over the channels and the spatial axes of each group. Before
 * opset 21, γ and β have one number per group.
 */
const groupNormalization: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const shape = at.shape(0);
  const groups = intAttribute(node, 'num_groups', 1);
  const channels = shape[1];
  const sizes = shape.slice(2);
  if (typeof channels !== 'number' || !isStatic(sizes))
    at.refuse('the channels, height and width of its input');
  if (at.needs(1) || at.needs(2))
    at.refuse('scale and bias that do not depend on the tensor to differentiate by');
  const each = partOf(at, channels as number, groups);
  const grouped = (value: string): string =>
    ops.reshape(value, [0, groups, each, ...(sizes as number[])]);
  const scale =
    at.opset < 21
      ? ops.reshape(at.input(1), [1, groups, ...sizes.map(() => 1), 1])
      : ops.reshape(at.input(1), [1, groups, each, ...sizes.map(() => 1)]);
  const axes = Array.from({ length: shape.length - 1 }, (_, i) => i + 2);
  const x = grouped(at.input(0));
  const { mean, r } = statistics(at, x, axes);
  const dx = normalized(at, ops.mul(grouped(dy), scale), mean, r, axes, x);
  return [ops.reshapeLike(dx, at.name(0))];
};

/**
 * The sum over `size` neighbouring channels. floor((size - 1) / 2) of them are before the channel,
 * or after it if `turned` is true.
 */
function channelWindow(at: RuleContext, x: string, size: number, turned: boolean): string {
  const { ops } = at;
  const channels = at.shape(0)[1];
  if (typeof channels !== 'number') at.refuse('the number of its channels');
  const [small, large] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const [before, after] = turned ? [large, small] : [small, large];
  const rest = at
    .shape(0)
    .slice(2)
    .map(() => 0);
  const padded = ops.pad(x, [0, before, ...rest], [0, after, ...rest]);
  const parts = Array.from({ length: size }, (_, i) =>
    ops.slice(padded, [1], [i], [i + (channels as number)]),
  );
  return parts.reduce((sum, part) => ops.add(sum, part));
}

/**
 * y = x s^-β, s = k + α/n Σ x² over neighbouring channels.
 *
 * dx = dy s^-β - 2 α β / n · x Σ dy x s^(-β-1)
 */
const lrn: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const size = intAttribute(node, 'size', 1);
  const [alpha, beta, bias] = [
    floatAttribute(node, 'alpha', 1e-4),
    floatAttribute(node, 'beta', 0.75),
    floatAttribute(node, 'bias', 1),
  ];
  const x = at.input(0);
  const sums = channelWindow(at, ops.mul(x, x), size, false);
  const s = ops.add(ops.scale(sums, alpha / size), ops.scalar(bias, x));
  const power = (exponent: number): string => ops.op('Pow', [s, ops.scalar(exponent, s)]);
  const inner = channelWindow(at, ops.mul(ops.mul(dy, x), power(-beta - 1)), size, true);
  return [
    ops.sub(ops.mul(dy, power(-beta)), ops.mul(ops.scale(x, (2 * alpha * beta) / size), inner)),
  ];
};

/**
 * y = x / n with n = Σ |x| (p = 1) or sqrt(Σ x²) (p = 2).
 *
 * dx = (dy - n' Σ dy y) / n with n' = sign(x) (p = 1) or y (p = 2)
 */
const lpNormalization: GradientRule = (at, [dy]) => {
  const { ops, node } = at;
  const axis = intAttribute(node, 'axis', -1);
  const axes = [axis < 0 ? axis + at.shape(0).length : axis];
  const [x, y] = [at.input(0), at.output(0)];
  const isL1 = intAttribute(node, 'p', 2) === 1;
  const norm = ops.reduce(isL1 ? 'ReduceL1' : 'ReduceL2', x, axes);
  const slope = isL1 ? ops.op('Sign', [x]) : y;
  return [ops.div(ops.sub(dy, ops.mul(slope, ops.reduceSum(ops.mul(dy, y), axes))), norm)];
};

/** y = x̂ over `axes` (default [0, 2, 3]): dx = r (dy - mean(dy) - y mean(dy y)) */
const meanVarianceNormalization: GradientRule = (at, [dy]) => {
  const axes = intsAttribute(at.node, 'axes', [0, 2, 3]);
  const { ops } = at;
  const x = at.input(0);
  const mean = ops.reduce('ReduceMean', x, axes);
  const centred = ops.sub(x, mean);
  const deviation = ops.op('Sqrt', [ops.reduce('ReduceMean', ops.mul(centred, centred), axes)]);
  const r = ops.op('Reciprocal', [ops.add(deviation, ops.scalar(1e-9, x))]);
  return [normalized(at, dy, mean, r, axes)];
};

/** Gradients of normalizations. `decomposeFused` has decomposed SkipLayerNormalization before. */
export const normalization: FamilyRules<'normalization'> = {
  BatchNormalization: rule(batchNormalization, { stop: [1, 2, 3, 4] }),
  LayerNormalization: rule(layerNormalization),
  RMSNormalization: rule(rmsNormalization),
  SimplifiedLayerNormalization: rule(rmsNormalization),
  InstanceNormalization: rule(instanceNormalization),
  GroupNormalization: rule(groupNormalization),
  LRN: rule(lrn),
  LpNormalization: rule(lpNormalization),
  MeanVarianceNormalization: rule(meanVarianceNormalization),
};
