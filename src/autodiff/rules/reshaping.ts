import { intsAttribute } from '../../onnx/index.ts';
import { type GradientRule, rule } from '../rule.ts';
import { gradientType } from '../rule-context.ts';
import type { FamilyRules } from './families.ts';

const identity: GradientRule = (_, [dy]) => [dy];

/** y = x, without the random zeros of training; with a ratio of 0 there are none. */
const dropout: GradientRule = (at, [dy]) => {
  const drops = at.has(2) && at.numbers(2)?.[0] !== 0 && at.numbers(1)?.[0] !== 0;
  if (drops) at.refuse('inference mode: export the model with eval()');
  return [dy];
};

/** y = x with its axes permuted: dx has them permuted back. */
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

/** y = x in another shape */
const reshape: GradientRule = (at, [dy]) => [at.ops.reshapeLike(dy, at.name(0))];

/** The identity between floating-point types: gradients are float32 for half precision. */
const cast: GradientRule = (at, [dy]) => [
  at.ops.cast(dy, gradientType(at.ops.info(at.name(0)).type)),
];

const reshaped = rule(reshape, { stop: [1] });

/** Gradients of the operators that keep all elements, and change at most their shape or type. */
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
  // The walk sums what was broadcast.
  Expand: rule(identity, { stop: [1] }),
};
