import { intAttribute, intsAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, rule, zero } from '../rule.ts';
import { gradientType } from '../rule-context.ts';
import type { FamilyRules } from './families.ts';

/**
 * The axes of a reduction, counted from the front and sorted. Undefined if the node reduces
 * nothing.
 */
function axesOf(at: RuleContext): readonly number[] | undefined {
  const rank = at.shape(0).length;
  const given = at.has(1) ? at.numbers(1) : intsAttribute(at.node, 'axes', []);
  if (given === null) at.refuse('axes that do not depend on the input');
  if (given === null || given.length === 0) {
    return intAttribute(at.node, 'noop_with_empty_axes', 0) === 1
      ? undefined
      : Array.from({ length: rank }, (_, axis) => axis);
  }
  return given.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}

/** Restores the reduced axes of a tensor with size 1, if the node has removed them. */
function restored(at: RuleContext, reduced: string, axes: readonly number[]): string {
  return intAttribute(at.node, 'keepdims', 1) === 1 ? reduced : at.ops.unsqueeze(reduced, axes);
}

/** The rule of a reduction: dx = slope(dy, x, y). The reduced axes of dy and y have size 1. */
function reducing(
  slope: (
    ops: Ops,
    dy: string,
    x: string,
    y: string,
    axes: readonly number[],
    at: RuleContext,
  ) => string,
): GradientRule {
  return (at, [dy]) => {
    const axes = axesOf(at);
    if (axes === undefined) return [dy];
    return [
      slope(
        at.ops,
        restored(at, dy, axes),
        at.input(0),
        restored(at, at.output(0), axes),
        axes,
        at,
      ),
    ];
  };
}

/** y = Σ x: dx = dy */
const sum = reducing((ops, dy, _x, _y, _axes, at) => ops.expandLike(dy, at.name(0)));

/**
 * dy / n, where n is the number of elements that are reduced to one. If n is not known, it is
 * computed in the graph.
 */
function share(ops: Ops, dy: string, axes: readonly number[], at: RuleContext): string {
  const sizes = axes.map((axis) => at.shape(0)[axis]);
  if (sizes.every((size) => typeof size === 'number')) {
    return ops.scale(
      dy,
      sizes.reduce((product: number, size) => product / Number(size), 1),
    );
  }
  const ones = ops.expandLike(ops.scalar(1, dy), at.name(0));
  return ops.div(dy, ops.reduceSum(ones, axes));
}

/** y = Σ x / n: dx = dy / n */
const mean = reducing((ops, dy, _x, _y, axes, at) =>
  ops.expandLike(share(ops, dy, axes, at), at.name(0)),
);

/** y = max x or min x. The elements that equal y get equal shares of dy, as in PyTorch's amax. */
const extremum = reducing((ops, dy, x, y, axes, at) => {
  const differs = ops.op('Less', at.node.opType === 'ReduceMax' ? [x, y] : [y, x]);
  const hit = ops.cast(ops.op('Not', [differs]), gradientType(ops.info(dy).type));
  return ops.mul(ops.div(dy, ops.reduceSum(hit, axes)), hit);
});

/**
 * y = Π x: dx = dy times the product of all other elements. It is computed from the products before
 * and after each element, because y / x fails if x is 0.
 */
const prod: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const axes = axesOf(at);
  if (axes === undefined) return [dy];
  const shape = at.shape(0);
  const rank = shape.length;
  const rest = shape.flatMap((_, axis) => (axes.includes(axis) ? [] : [axis]));
  const sizes = axes.map((axis) => shape[axis]);
  if (!sizes.every((size) => typeof size === 'number')) at.refuse('the sizes of the reduced axes');
  const count = (sizes as number[]).reduce((product, size) => product * size, 1);
  if (count > 4096) at.refuse('at most 4096 factors');
  const order = [...rest, ...axes];
  const moved = ops.transpose(at.input(0), order);
  const flat = ops.op('Reshape', [
    ops.op('Flatten', [moved], { axis: rest.length }),
    ops.ints([-1, count]),
  ]);
  const column = (i: number): string => ops.slice(flat, [1], [i], [i + 1]);
  const columns = Array.from({ length: count }, (_, i) => column(i));
  const running = (list: readonly string[]): (string | undefined)[] => {
    const products: (string | undefined)[] = [undefined];
    for (const item of list.slice(0, -1)) {
      const last = products[products.length - 1];
      products.push(last === undefined ? item : ops.mul(last, item));
    }
    return products;
  };
  const before = running(columns);
  const after = running(columns.toReversed()).reverse();
  const others = columns.map((_, i) => {
    const [a, b] = [before[i], after[i]];
    if (a === undefined) return b ?? ops.expandLike(ops.scalar(1, dy), elementAt(columns, 0));
    return b === undefined ? a : ops.mul(a, b);
  });
  const slopes = ops.reshapeLike(ops.concat(others, 1), moved);
  const inverse = Array.from({ length: rank }, (_, axis) => order.indexOf(axis));
  return [ops.mul(restored(at, dy, axes), ops.transpose(slopes, inverse))];
};

/** y = sqrt(Σ x²): dx = dy x / y, or 0 if y is 0 */
const l2 = reducing((ops, dy, x, y) => {
  const isPositive = ops.op('Greater', [y, ops.scalar(0, y)]);
  return ops.mul(ops.div(dy, ops.op('Where', [isPositive, y, ops.scalar(1, y)])), x);
});

/** y = Σ |x|: dx = dy sign(x) */
const l1 = reducing((ops, dy, x) => ops.mul(dy, ops.op('Sign', [x])));

/** y = Σ x²: dx = 2 dy x */
const sumSquare = reducing((ops, dy, x) => ops.mul(ops.scale(dy, 2), x));

/** y = log Σ x: dx = dy / exp(y) */
const logSum = reducing((ops, dy, _x, y, _axes, at) =>
  ops.expandLike(ops.div(dy, ops.op('Exp', [y])), at.name(0)),
);

/** y = log Σ exp(x): dx = dy exp(x - y) */
const logSumExp = reducing((ops, dy, x, y) => ops.mul(dy, ops.op('Exp', [ops.sub(x, y)])));

/** y, i = the k largest elements and their indices. dx is dy at i and 0 elsewhere. */
const topK: GradientRule = (at, [dy]) => {
  const { ops } = at;
  if (ops.opset < 11) at.refuse('opset 11 or later');
  const axis = intAttribute(at.node, 'axis', -1);
  return [ops.op('ScatterElements', [ops.zerosLike(at.input(0)), at.output(1), dy], { axis })];
};

/** Gradients of reductions. */
export const reduction: FamilyRules<'reduction'> = {
  ReduceSum: rule(sum, { stop: [1] }),
  ReduceMean: rule(mean, { stop: [1] }),
  ReduceMax: rule(extremum, { stop: [1] }),
  ReduceMin: rule(extremum, { stop: [1] }),
  ReduceProd: rule(prod, { stop: [1] }),
  ReduceL1: rule(l1, { stop: [1] }),
  ReduceL2: rule(l2, { stop: [1] }),
  ReduceSumSquare: rule(sumSquare, { stop: [1] }),
  ReduceLogSum: rule(logSum, { stop: [1] }),
  ReduceLogSumExp: rule(logSumExp, { stop: [1] }),
  ArgMax: zero('it returns indices'),
  ArgMin: zero('it returns indices'),
  TopK: rule(topK, { stop: [1] }),
  Unique: zero('the set of distinct elements has no derivative'),
};
