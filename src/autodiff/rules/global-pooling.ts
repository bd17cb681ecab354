import { intAttribute, isStatic } from '../../onnx/index.ts';
import { type GradientRule, rule } from '../rule.ts';
import { spatial } from './axes.ts';
import type { FamilyRules } from './families.ts';

/** y = Σ x / (H W): dx = dy / (H W) everywhere. */
const globalAveragePool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const [, , ...sizes] = at.shape(0);
  if (!isStatic(sizes)) {
    const axes = sizes.map((_, i) => i + 2);
    const ones = ops.expandLike(ops.scalar(1, dy), at.name(0));
    return [ops.div(ops.expandLike(dy, at.name(0)), ops.reduceSum(ones, axes))];
  }
  const count = (sizes as readonly number[]).reduce((total, size) => total * size, 1);
  // A convolution of the padded 1 × 1 map would keep the blocked layout of convolutions. In Node this
  // saves nothing, and in WebAssembly it takes 50 times as long as Expand.
  return [ops.expandLike(ops.scale(dy, 1 / count), at.name(0))];
};

/** y = max over H and W. The first maximum gets dy, as in PyTorch. */
const globalMaxPool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const size = spatial(at, at.shape(0), 'input').reduce((total, count) => total * count, 1);
  const flat = ops.op('Flatten', [ops.reshape(at.input(0), [0, 0, size])], { axis: 2 });
  const first = ops.op('ArgMax', [flat], { axis: 1, keepdims: 1 });
  const isFirst = ops.op('Equal', [ops.indices(size), first]);
  const hit = ops.cast(isFirst, ops.info(dy).type ?? 'float32');
  return [ops.mul(ops.reshapeLike(hit, at.name(0)), dy)];
};

/** y = (Σ |x|^p)^(1/p): dx = dy sign(x) |x|^(p-1) / y^(p-1). */
const globalLpPool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const p = intAttribute(at.node, 'p', 2);
  const [x, y] = [at.input(0), at.output(0)];
  const power = (base: string): string => ops.op('Pow', [base, ops.scalar(p - 1, base)]);
  const ratio = ops.div(power(ops.op('Abs', [x])), power(y));
  return [ops.mul(ops.mul(ratio, ops.op('Sign', [x])), dy)];
};

/** Gradients of global pooling. */
export const globalPooling: FamilyRules<'globalPooling'> = {
  GlobalAveragePool: rule(globalAveragePool),
  GlobalMaxPool: rule(globalMaxPool),
  GlobalLpPool: rule(globalLpPool),
};
