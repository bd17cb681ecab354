import { intsAttribute } from '../../onnx/index.ts';
import { type GradientRule, rule } from '../rule.ts';
import { gradientType } from '../rule-context.ts';
import type { FamilyRules } from './families.ts';

/** y = x: dx = dy */
const identity: GradientRule = (_, [dy]) => [dy];

/**
 * y = x. In training mode, Dropout with a ratio above 0 sets random elements to 0 and is refused.
 */
const dropout: GradientRule = (at, [dy]) => {
  const drops = at.has(2) && at.numbers(2)?.[0] !== 0 && at.numbers(1)?.[0] !== 0;
  if (drops) at.refuse('inference mode: export the model with eval()');
  return [dy];
};

/** y = x with its axes permuted. dx is dy with the inverse permutation. */
const transpose: GradientRule = (at, [dy]) => {
  const rank = at.shape(0).length;
  const perm = intsAttribute(
    at.node,
    'perm',
    Array.from({ length: rank }, (_, axis) => rank - 1 - axis),
  );
  return [
    at.ops.transpose(
      dy,
      perm.map((_, axis) => perm.indexOf(axis)),
    ),
  ];
};

/** y = x in another shape. dx is dy in the shape of x. */
const reshape: GradientRule = (at, [dy]) => [at.ops.reshapeLike(dy, at.name(0))];

/**
 * y = x in another floating-point type. dx is dy in the gradient type of x, float32 for half
 * precision.
 */
const cast: GradientRule = (at, [dy]) => [
  at.ops.cast(dy, gradientType(at.ops.info(at.name(0)).type)),
];

const reshaped = rule(reshape, { stop: [1] });

/** Gradients of the operators that return all elements of x, possibly in another shape or type. */
export const reshaping: FamilyRules<'reshaping'> = {
  Identity: rule(identity),
  Dropout: rule(dropout, { stop: [1, 2] }),
  Cast: rule(cast),
  CastLike: rule(cast, { stop: [1] }),
  Transpose: rule(transpose),
  Reshape: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Flatten: reshaped,
  // `gradientGraph` sums dy over the broadcast axes.
  Expand: rule(identity, { stop: [1] }),
};
