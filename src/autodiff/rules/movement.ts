import { type Dim, intAttribute, intsAttribute, stringAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, rule } from '../rule.ts';
import { axisOf, partOf, sizeAt } from './axes.ts';
import type { FamilyRules } from './families.ts';
import { resizeMatrices } from './resize-matrix.ts';

/** y = x repeated along each axis. dx is the sum of dy over the repetitions. */
const tile: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const repeats = at.numbers(1);
  const shape = at.shape(0);
  if (repeats === null) at.refuse('repeats that are known without running the model');
  const split: Dim[] = [];
  const summed: number[] = [];
  for (const [axis, dim] of shape.entries()) {
    const count = repeats?.[axis] ?? 1;
    if (count !== 1) {
      summed.push(split.length);
      split.push(count);
    }
    split.push(dim);
  }
  if (summed.length === 0) return [dy];
  if (split.filter((dim) => typeof dim !== 'number').length > 1)
    at.refuse('all but one of the sizes of its input to be known');
  return [ops.reduceSum(ops.reshape(dy, split), summed, false)];
};

/** y = the concatenation of the x_i. Each dx_i is its part of dy. */
const concat: GradientRule = (at, [dy]) => {
  const axis = axisOf(at, 1);
  const lastNeeded = at.node.inputs.reduce((last, _, i) => (at.needs(i) ? i : last), -1);
  let start = 0;
  return at.node.inputs.map((_, i) => {
    if (i > lastNeeded) return '';
    const from = start;
    start += sizeAt(at, i, axis);
    return at.needs(i) ? at.ops.slice(dy, [axis], [from], [start]) : '';
  });
};

/** The y_i are parts of x. dx is the concatenation of the dy_i. */
const split: GradientRule = (at, dy) => {
  const axis = axisOf(at, 0);
  const parts = at.node.outputs.map((name, i) => {
    const given = elementAt(dy, i);
    if (given !== '') return given;
    const like = at.ops.info(name === '' ? at.output(i) : name).shape;
    const size = like?.[axis];
    if (like === null || typeof size !== 'number') at.refuse('the sizes of its parts to be known');
    const reference = dy.find((gradient) => gradient !== '') as string;
    return zerosOf(at.ops, reference, axis, size as number);
  });
  return [at.ops.concat(parts, axis)];
};

/** Zeros with the shape of `reference`, except that axis `axis` has size `size`. */
function zerosOf(ops: Ops, reference: string, axis: number, size: number): string {
  const one = ops.slice(reference, [axis], [0], [1]);
  const before = ops.shape(reference).map(() => 0);
  return ops.pad(
    ops.scale(one, 0),
    before,
    before.map((_, i) => (i === axis ? size - 1 : 0)),
  );
}

/** The padding before and after each axis. */
function padsOf(at: RuleContext): { before: number[]; after: number[] } {
  const rank = at.shape(0).length;
  const pads = at.has(1) ? at.numbers(1) : intsAttribute(at.node, 'pads', null);
  const axes = at.has(3) ? at.numbers(3) : at.shape(0).map((_, axis) => axis);
  if (pads === null || axes === null) at.refuse('padding that is known without running the model');
  const before = new Array<number>(rank).fill(0);
  const after = new Array<number>(rank).fill(0);
  for (const [i, axis] of (axes ?? []).entries()) {
    const position = axis < 0 ? axis + rank : axis;
    before[position] = pads?.[i] ?? 0;
    after[position] = pads?.[i + (axes?.length ?? 0)] ?? 0;
  }
  return { before, after };
}

/**
 * Along one axis, adds the gradient of the padding to the gradient of the elements that it copies.
 */
function foldAxis(
  at: RuleContext,
  mode: string,
  dy: string,
  axis: number,
  before: number,
  after: number,
): string {
  const { ops } = at;
  const size = sizeAt(at, 0, axis);
  const part = (start: number, count: number): string =>
    ops.slice(dy, [axis], [start], [start + count]);
  const placed = (piece: string, start: number, count: number): string => {
    const pads = (value: number): number[] =>
      ops.shape(piece).map((_, i) => (i === axis ? value : 0));
    return ops.pad(piece, pads(start), pads(size - start - count));
  };
  const core = placed(
    part(Math.max(0, before), Math.min(size, size + before, size + after)),
    Math.max(0, -before),
    size + Math.min(0, before) + Math.min(0, after),
  );
  const sides = [
    {
      count: before,
      piece: (): string => part(0, before),
      start: { reflect: 1, edge: 0, wrap: size - before }[mode],
    },
    {
      count: after,
      piece: (): string => part(before + size, after),
      start: { reflect: size - 1 - after, edge: size - 1, wrap: 0 }[mode],
    },
  ];
  return sides.reduce((sum, { count, piece, start }) => {
    if (count <= 0 || start === undefined) return sum;
    if (mode === 'edge') return ops.add(sum, placed(ops.reduceSum(piece(), [axis]), start, 1));
    return ops.add(
      sum,
      placed(mode === 'reflect' ? ops.flip(piece(), axis) : piece(), start, count),
    );
  }, core);
}

/**
 * y = x with padding. In modes other than `constant`, padding copies elements of x, and its
 * gradient is added to the gradient of these elements.
 */
const pad: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const { before, after } = padsOf(at);
  const mode = stringAttribute(at.node, 'mode', 'constant');
  const padded = before
    .map((front, axis) => ({ axis, front, behind: elementAt(after, axis) }))
    .filter(({ front, behind }) => front !== 0 || behind !== 0);
  if (mode !== 'constant')
    return [
      padded.reduce(
        (rest, { axis, front, behind }) => foldAxis(at, mode, rest, axis, front, behind),
        dy,
      ),
    ];
  const cut = padded.filter(({ front, behind }) => front > 0 || behind > 0);
  const inner =
    cut.length === 0
      ? dy
      : ops.slice(
          dy,
          cut.map(({ axis }) => axis),
          cut.map(({ front }) => Math.max(0, front)),
          cut.map(({ behind }) => (behind > 0 ? -behind : 2 ** 31 - 1)),
        );
  const back = (counts: readonly number[]): number[] => counts.map((count) => Math.max(0, -count));
  return [ops.pad(inner, back(before), back(after))];
};

/** y = R x along each resized axis, with a constant matrix R: dx = Rᵀ dy */
const resize: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const rank = at.shape(0).length;
  let dx = dy;
  for (const { axis, rows, columns, values } of resizeMatrices(at)) {
    const matrix = ops.constant(values, [rows, columns], ops.info(dy).type ?? 'float32');
    if (axis === rank - 1) dx = ops.op('MatMul', [dx, matrix]);
    else if (axis === rank - 2) dx = ops.op('MatMul', [ops.transpose(matrix, [1, 0]), dx]);
    else {
      const order = Array.from({ length: rank }, (_, i) =>
        i === axis ? rank - 1 : i === rank - 1 ? axis : i,
      );
      dx = ops.transpose(ops.op('MatMul', [ops.transpose(dx, order), matrix]), order);
    }
  }
  return [dx];
};

/**
 * y arranges blocks of channels as blocks of pixels. dx is the inverse of this arrangement on dy.
 */
const depthToSpace: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const s = intAttribute(at.node, 'blocksize', 1);
  if (stringAttribute(at.node, 'mode', 'DCR') === 'DCR')
    return [ops.op('SpaceToDepth', [dy], { blocksize: s })];
  const [, channels, height, width] = at.shape(0);
  if (typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number')
    return at.refuse('the sizes of its input');
  // [N, C, H, s, W, s] -> [N, C, s, s, H, W]
  const blocks = ops.reshape(dy, [0, partOf(at, channels, s * s), height, s, width, s]);
  return [ops.reshapeLike(ops.transpose(blocks, [0, 1, 3, 5, 2, 4]), at.name(0))];
};

/**
 * y arranges blocks of pixels as blocks of channels. dx is the inverse of this arrangement on dy.
 */
const spaceToDepth: GradientRule = (at, [dy]) => [
  at.ops.op('DepthToSpace', [dy], { blocksize: intAttribute(at.node, 'blocksize', 1) }),
];

/** y = the upper or lower triangle of x. dx is the same triangle of dy. */
const trilu: GradientRule = (at, [dy]) => [
  at.ops.op('Trilu', [dy, ...at.node.inputs.slice(1)], {
    upper: intAttribute(at.node, 'upper', 1),
  }),
];

/** y = x in reverse order within each sequence. dx is dy in reverse order within each sequence. */
const reverseSequence: GradientRule = (at, [dy]) => [
  at.ops.op('ReverseSequence', [dy, at.name(1)], {
    batch_axis: intAttribute(at.node, 'batch_axis', 1),
    time_axis: intAttribute(at.node, 'time_axis', 0),
  }),
];

/** y = the cumulative sums of x. dx is the cumulative sums of dy from the other end. */
const cumSum: GradientRule = (at, [dy]) => [
  at.ops.op('CumSum', [dy, at.name(1)], {
    exclusive: intAttribute(at.node, 'exclusive', 0),
    reverse: 1 - intAttribute(at.node, 'reverse', 0),
  }),
];

/** Gradients of the operators that move, join or repeat elements without changing them. */
export const movement: FamilyRules<'movement'> = {
  Tile: rule(tile, { stop: [1] }),
  Concat: rule(concat),
  Split: rule(split, { stop: [1], allOutputs: true }),
  Pad: rule(pad, { stop: [1, 2, 3] }),
  Resize: rule(resize, { stop: [1, 2, 3] }),
  Upsample: rule(resize, { stop: [1] }),
  DepthToSpace: rule(depthToSpace),
  SpaceToDepth: rule(spaceToDepth),
  Trilu: rule(trilu, { stop: [1] }),
  ReverseSequence: rule(reverseSequence, { stop: [1] }),
  CumSum: rule(cumSum, { stop: [1] }),
};
