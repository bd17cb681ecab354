import { each } from '../../onnx/index.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, type RuleEntry, rule, zero } from '../rule.ts';
import { gradientType } from '../rule-context.ts';
import type { FamilyRules } from './families.ts';

/** The rule dx = dy f'(x, y) of a function with one input. */
function unary(derivative: (ops: Ops, at: RuleContext) => string): RuleEntry {
  return rule((at, [dy]) => [at.ops.mul(dy, derivative(at.ops, at))]);
}

const square = (ops: Ops, x: string): string => ops.mul(x, x);
const plus = (ops: Ops, x: string, value: number): string => ops.add(x, ops.scalar(value, x));
const neg = (ops: Ops, x: string): string => ops.op('Neg', [x]);
const reciprocal = (ops: Ops, x: string): string => ops.op('Reciprocal', [x]);

/** y = a + b */
const add: GradientRule = (_, [dy]) => [dy, dy];

/** y = a - b */
const sub: GradientRule = (at, [dy]) => [dy, at.needs(1) ? neg(at.ops, dy) : ''];

/** y = a b: da = dy b, db = dy a */
const mul: GradientRule = (at, [dy]) => [
  at.needs(0) ? at.ops.mul(dy, at.input(1)) : '',
  at.needs(1) ? at.ops.mul(dy, at.input(0)) : '',
];

/** y = a / b: da = dy / b, db = -dy y / b */
const div: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const da = ops.div(dy, at.input(1));
  return [da, at.needs(1) ? neg(ops, ops.mul(da, at.output(0))) : ''];
};

/** y = a^b: da = dy b a^(b-1), db = dy y log(a) where a > 0 */
const pow: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const a = at.input(0);
  const exponent = at.numbers(1)?.length === 1 ? at.numbers(1)?.[0] : undefined;
  if (exponent !== undefined && !at.needs(1))
    return [ops.mul(ops.scale(dy, exponent), powerOf(ops, a, exponent - 1))];
  const type = gradientType(ops.info(dy).type);
  const b = ops.cast(at.input(1), type);
  const da = at.needs(0)
    ? ops.mul(ops.mul(dy, b), ops.op('Pow', [a, ops.sub(b, ops.scalar(1, b))]))
    : '';
  if (!at.needs(1)) return [da];
  const isPositive = ops.op('Greater', [a, ops.scalar(0, a)]);
  const log = ops.op('Log', [ops.op('Where', [isPositive, a, ops.scalar(1, a)])]);
  return [da, ops.mul(ops.mul(dy, at.output(0)), log)];
};

function powerOf(ops: Ops, a: string, exponent: number): string {
  if (exponent === 1) return a;
  if (exponent === 2) return square(ops, a);
  return ops.op('Pow', [a, ops.scalar(exponent, a)]);
}

/** Σ x_i */
const sum: GradientRule = (at, [dy]) => at.node.inputs.map(() => dy);

/** Σ x_i / n */
const mean: GradientRule = (at, [dy]) => {
  const share = at.ops.scale(dy, 1 / at.node.inputs.length);
  return at.node.inputs.map(() => share);
};

/** y = max or min of the x_i. The x_i that equal y get equal shares of dy, as in PyTorch. */
const extremum: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const y = at.output(0);
  const type = gradientType(ops.info(dy).type);
  const isMax = at.node.opType === 'Max';
  const hits = at.node.inputs.map((_, i) => {
    const x = at.input(i);
    return ops.cast(ops.op('Not', [ops.op('Less', isMax ? [x, y] : [y, x])]), type);
  });
  if (hits.length === 1) return [dy];
  const share = ops.div(
    dy,
    hits.reduce((total, hit) => ops.add(total, hit)),
  );
  return hits.map((hit, i) => (at.needs(i) ? ops.mul(share, hit) : ''));
};

/** y = a - b floor(a / b): da = dy, db = -dy floor(a / b) */
const mod: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const quotient = at.needs(1) ? ops.div(ops.sub(at.input(0), at.output(0)), at.input(1)) : '';
  return [dy, at.needs(1) ? neg(ops, ops.mul(dy, quotient)) : ''];
};

/** y = c ? a : b: da = c ? dy : 0, db = c ? 0 : dy */
const where: GradientRule = (at, [dy]) => {
  const none = at.ops.scalar(0, dy);
  const condition = at.name(0);
  const pick = (inputs: string[]): string => at.ops.op('Where', inputs);
  return [
    '',
    at.needs(1) ? pick([condition, dy, none]) : '',
    at.needs(2) ? pick([condition, none, dy]) : '',
  ];
};

const flat = 'it is constant almost everywhere';
/** Gradients of elementwise operators. */
export const elementwise: FamilyRules<'elementwise'> = {
  Add: rule(add),
  Sub: rule(sub),
  Mul: rule(mul),
  Div: rule(div),
  Mod: rule(mod),
  Pow: rule(pow),
  Min: rule(extremum),
  Max: rule(extremum),
  Sum: rule(sum),
  Mean: rule(mean),
  Where: rule(where, { stop: [0] }),
  Neg: rule((at, [dy]) => [neg(at.ops, dy)]),
  Abs: unary((ops, at) => ops.op('Sign', [at.input(0)])),
  // y = sqrt(x): 1 / (2 y)
  Sqrt: rule((at, [dy]) => [at.ops.div(at.ops.scale(dy, 0.5), at.output(0))]),
  Exp: unary((_, at) => at.output(0)),
  Log: rule((at, [dy]) => [at.ops.div(dy, at.input(0))]),
  // y = 1 / x: -y²
  Reciprocal: unary((ops, at) => neg(ops, square(ops, at.output(0)))),
  // 2 exp(-x²) / sqrt(π)
  Erf: unary((ops, at) =>
    ops.scale(ops.op('Exp', [neg(ops, square(ops, at.input(0)))]), 2 / Math.sqrt(Math.PI)),
  ),
  Sin: unary((ops, at) => ops.op('Cos', [at.input(0)])),
  Cos: unary((ops, at) => neg(ops, ops.op('Sin', [at.input(0)]))),
  // 1 + y²
  Tan: unary((ops, at) => plus(ops, square(ops, at.output(0)), 1)),
  Asin: unary((ops, at) =>
    reciprocal(
      ops,
      ops.op('Sqrt', [ops.sub(ops.scalar(1, at.input(0)), square(ops, at.input(0)))]),
    ),
  ),
  Acos: unary((ops, at) =>
    neg(
      ops,
      reciprocal(
        ops,
        ops.op('Sqrt', [ops.sub(ops.scalar(1, at.input(0)), square(ops, at.input(0)))]),
      ),
    ),
  ),
  Atan: unary((ops, at) => reciprocal(ops, plus(ops, square(ops, at.input(0)), 1))),
  Sinh: unary((ops, at) => ops.op('Cosh', [at.input(0)])),
  Cosh: unary((ops, at) => ops.op('Sinh', [at.input(0)])),
  Asinh: unary((ops, at) =>
    reciprocal(ops, ops.op('Sqrt', [plus(ops, square(ops, at.input(0)), 1)])),
  ),
  Acosh: unary((ops, at) =>
    reciprocal(ops, ops.op('Sqrt', [plus(ops, square(ops, at.input(0)), -1)])),
  ),
  Atanh: unary((ops, at) =>
    reciprocal(ops, ops.sub(ops.scalar(1, at.input(0)), square(ops, at.input(0)))),
  ),
  ...each('Floor Ceil Round Sign', zero(flat)),
  ...each(
    'Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not IsNaN IsInf',
    zero('it returns truth values'),
  ),
  ...each('BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitShift', zero('it works on integers')),
};
