import { intAttribute, isStatic } from '../../onnx/index.ts';
import { type GradientRule, rule } from '../rule.ts';
import { spatial } from './axes.ts';
import type { FamilyRules } from './families.ts';

/** For maps with at most this many pixels, the gradient is expanded by a convolution. */
const smallMap = 64;

/** y = Σ x / (H W): dx = dy / (H W) everywhere. */
const globalAveragePool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const [, channels, ...sizes] = at.shape(0);
  if (!isStatic(sizes)) {
    const axes = sizes.map((_, i) => i + 2);
    const ones = ops.expandLike(ops.scalar(1, dy), at.name(0));
    return [ops.div(ops.expandLike(dy, at.name(0)), ops.reduceSum(ones, axes))];
  }
  const count = (sizes as readonly number[]).reduce((total, size) => total * size, 1);
  const float = ops.info(dy).type === 'float32';
  if (!float || sizes.length !== 2 || typeof channels !== 'number' || count > smallMap)
    return [ops.expandLike(ops.scale(dy, 1 / count), at.name(0))];
  // The convolution of a padded 1 × 1 map with a constant kernel is the pixel times this constant
  // everywhere. Unlike Expand, it keeps the memory layout of convolutions.
  const weights = ops.op('Expand', [
    ops.scalar(1 / count, dy),
    ops.ints([channels, 1, ...(sizes as readonly number[])]),
  ]);
  const pads = [...sizes, ...sizes].map((size) => Number(size) - 1);
  return [
    ops.op('Conv', [dy, weights], {
      kernel_shape: sizes as readonly number[],
      group: channels,
      pads,
    }),
  ];
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
