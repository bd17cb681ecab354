import { intAttribute, intsAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, rule } from '../rule.ts';
import { checkConstant } from './axes.ts';
import type { FamilyRules } from './families.ts';
import {
  interleave,
  padSpatial,
  planeOf,
  type Window,
  type WindowAxis,
  windowOf,
} from './window.ts';

/** Largest number of elements of a window. The backward pass needs as many nodes. */
const largestWindow = 4096;

/**
 * The positions of the elements of a window, or of its phases. Each position needs its own nodes.
 */
function offsetsOf(at: RuleContext, sizes: readonly number[]): number[][] {
  if (sizes.reduce((product, size) => product * size, 1) > largestWindow)
    at.refuse(`a window, and strides, of at most ${largestWindow} elements`);
  return positions(sizes);
}

/** The offsets of the elements of a window from its first element. */
function elementOffsets(at: RuleContext, { kernel, axes }: Window): number[][] {
  return offsetsOf(at, kernel).map((position) =>
    axes.map(({ dilation }, i) => elementAt(position, i) * dilation),
  );
}

/** All index vectors of an array with these sizes. */
function positions(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>(
    (list, size) => list.flatMap((start) => Array.from({ length: size }, (_, i) => [...start, i])),
    [[]],
  );
}

/**
 * Returns a function that emits the elements o * stride + offset of a padded tensor, for all
 * windows o.
 */
function offsetReader(
  at: RuleContext,
  padded: string,
  window: Window,
): (offset: readonly number[]) => string {
  const { ops } = at;
  const [, channels] = ops.shape(padded);
  const [s, other] = window.strides;
  if (typeof channels === 'number' && s !== 1 && other === s && window.axes.length === 2)
    return phaseReader(at, padded, window, channels);
  const axes = window.axes.map((_, i) => i + 2);
  const ends = (offset: readonly number[]): number[] =>
    window.axes.map(({ output, stride }, i) => elementAt(offset, i) + (output - 1) * stride + 1);
  return (offset) => ops.slice(padded, axes, offset, ends(offset), window.strides);
}

/**
 * Like `offsetReader`, for a stride s > 1 along two axes. A Slice with steps is slow. So
 * SpaceToDepth turns the phases into channels, and each phase is a Slice without steps.
 */
function phaseReader(
  at: RuleContext,
  padded: string,
  window: Window,
  channels: number,
): (offset: readonly number[]) => string {
  const { ops } = at;
  const sizes = ops.shape(padded).slice(2);
  const [height, width] = planeOf(window);
  const s = height.stride;
  const whole = padSpatial(
    ops,
    padded,
    [0, 0],
    window.axes.map((axis, i) => phaseLength(axis) * s - Number(sizes[i])),
  );
  const phases = ops.op('SpaceToDepth', [whole], { blocksize: s });
  return (offset) => {
    const [y, x] = [elementAt(offset, 0), elementAt(offset, 1)];
    const channel = ((y % s) * s + (x % s)) * channels;
    const [top, left] = [Math.floor(y / s), Math.floor(x / s)];
    const ends = [channel + channels, top + height.output, left + width.output];
    return ops.slice(phases, [1, 2, 3], [channel, top, left], ends);
  };
}

/** The number of elements of one phase that the windows cover along an axis. */
function phaseLength({ kernel, dilation, stride, output }: WindowAxis): number {
  return Math.floor(((kernel - 1) * dilation) / stride) + output;
}

/**
 * Sums pieces whose elements belong at o * stride + offset. Pieces of the same phase (offset modulo
 * stride) are shifted and added. Then the phases are interleaved.
 */
function place(
  at: RuleContext,
  pieces: readonly { offset: readonly number[]; piece: string }[],
  window: Window,
): string {
  const { ops } = at;
  const { axes, strides } = window;
  const phases = new Map<string, string>();
  for (const { offset, piece } of pieces) {
    const shift = axes.map(({ stride }, i) => Math.floor(elementAt(offset, i) / stride));
    const shifted = padSpatial(
      ops,
      piece,
      shift,
      axes.map((axis, i) => phaseLength(axis) - axis.output - elementAt(shift, i)),
    );
    const key = axes.map(({ stride }, i) => elementAt(offset, i) % stride).join();
    const earlier = phases.get(key);
    phases.set(key, earlier === undefined ? shifted : ops.add(earlier, shifted));
  }
  const zeros = (): string => ops.zerosLike(elementAt([...phases.values()], 0));
  const phase = (index: readonly number[]): string => phases.get(index.join()) ?? zeros();
  const dx = joinPhases(at, strides, phase);
  return padSpatial(
    ops,
    dx,
    axes.map(({ begin }) => -begin),
    axes.map((axis) => axis.input + axis.begin - phaseLength(axis) * axis.stride),
  );
}

function joinPhases(
  at: RuleContext,
  strides: readonly number[],
  phase: (index: readonly number[]) => string,
): string {
  const [s = 1, other] = strides;
  if (strides.length === 2 && s === other && s > 1) {
    const stacked = at.ops.concat(offsetsOf(at, strides).map(phase), 1);
    return at.ops.op('DepthToSpace', [stacked], { blocksize: s });
  }
  offsetsOf(at, strides);
  const along = (axis: number, index: readonly number[]): string => {
    const stride = strides[axis];
    if (stride === undefined) return phase(index);
    const pieces = Array.from({ length: stride }, (_, i) => along(axis + 1, [...index, i]));
    return interleave(at.ops, pieces, axis + 2);
  };
  return along(0, []);
}

/**
 * The padding after each axis that the last window covers. With `ceil_mode` it can exceed the
 * padding of the node.
 */
function overhang({ axes }: Window): number[] {
  return axes.map(({ kernel, stride, dilation, begin, input, output }) =>
    Math.max(0, (output - 1) * stride + (kernel - 1) * dilation + 1 - begin - input),
  );
}

const lowest = -3.4028234663852886e38;

/**
 * Uses the second output of MaxPool, the positions of the maxima in the flattened x. Each element
 * of dy is added at the position of its maximum.
 */
function byIndices(at: RuleContext, dy: string): string {
  const { ops } = at;
  const x = at.input(0);
  const sum = ops.op(
    'ScatterElements',
    [ops.zerosLike(ops.reshape(x, [-1])), ops.reshape(at.output(1), [-1]), ops.reshape(dy, [-1])],
    {
      axis: 0,
      reduction: 'add',
    },
  );
  return ops.reshapeLike(sum, x);
}

/**
 * Compares the elements of each window with the maximum, one after the other. `rest` is dy if no
 * earlier element of the window was the maximum, and 0 otherwise. The difference of `rest` before
 * and after an element is the gradient of that element.
 */
function byComparisons(at: RuleContext, dy: string): string {
  const { ops } = at;
  const window = windowOf(at, intsAttribute(at.node, 'kernel_shape', []));
  const y = at.output(0);
  const padded = padSpatial(
    ops,
    at.input(0),
    window.axes.map(({ begin }) => begin),
    overhang(window),
    lowest,
  );
  const offsets = elementOffsets(at, window);
  const read = offsetReader(at, padded, window);
  let rest = dy;
  const pieces = offsets.map((offset, i) => {
    if (i === offsets.length - 1) return { offset, piece: rest };
    const next = ops.mul(rest, ops.below(ops.sub(read(offset), y)));
    const piece = ops.sub(rest, next);
    rest = next;
    return { offset, piece };
  });
  return place(at, pieces, window);
}

/** y = max over a window. The first maximum of each window gets dy, as in PyTorch. */
const maxPool: GradientRule = (at, [dy]) => [
  at.ops.opset >= 16 ? byIndices(at, dy) : byComparisons(at, dy),
];

/** Largest number of windows that can have different divisors. */
const mostCounts = 2 ** 22;

/**
 * The number of elements that each window o counts along one axis. The window starts at o * stride
 * - begin, and it counts its elements from `low` to `high` (excluded).
 */
function countsAlong(at: RuleContext, axis: WindowAxis): number[] {
  const { kernel, stride, dilation, begin, end } = axis;
  const counted = intAttribute(at.node, 'count_include_pad', 0) === 1;
  const [low, high] = counted ? [-begin, axis.input + end] : [0, axis.input];
  return Array.from({ length: axis.output }, (_, o) => {
    const start = o * stride - begin;
    // k with low <= start + k dilation < high
    const first = Math.max(0, Math.ceil((low - start) / dilation));
    const last = Math.min(kernel - 1, Math.ceil((high - start) / dilation) - 1);
    return Math.max(0, last - first + 1);
  });
}

/**
 * The number of elements that each window of an average counts. It is a single number if it is the
 * same for all windows.
 */
function divisors(at: RuleContext, window: Window): number[] | number {
  const along = window.axes.map((axis) => countsAlong(at, axis));
  if (along.every((counts) => counts.every((count) => count === counts[0])))
    return along.reduce((product, [count = 1]) => product * count, 1);
  if (along.reduce((product, counts) => product * counts.length, 1) > mostCounts)
    at.refuse(
      `at most ${mostCounts} windows, or windows that all count the same number of elements`,
    );
  return along.reduce<number[]>(
    (products, counts) => products.flatMap((product) => counts.map((count) => product * count)),
    [1],
  );
}

/** dy `size` / n, where n is the number of elements that a window counts. */
function weightedBy(at: RuleContext, dy: string, window: Window, size: number): string {
  const { ops } = at;
  const n = divisors(at, window);
  if (typeof n === 'number') return n === size ? dy : ops.scale(dy, size / n);
  const shares = n.map((count) => size / count);
  const shape = [1, 1, ...window.axes.map(({ output }) => output)];
  return ops.mul(dy, ops.constant(shares, shape, ops.info(dy).type ?? 'float32'));
}

/**
 * dx for stride 1, from the weighted dy. An average over windows with stride 1 is its own
 * transpose, so dx is an average pooling of dy.
 */
function averageOf(ops: Ops, dy: string, { axes, kernel }: Window): string {
  const padded = padSpatial(
    ops,
    dy,
    axes.map((axis) => (axis.kernel - 1) * axis.dilation - axis.begin),
    axes.map((axis) => axis.input + axis.begin - axis.output),
  );
  return ops.op('AveragePool', [padded], { kernel_shape: kernel, strides: kernel.map(() => 1) });
}

/** y = Σ x / n over a window: dx = Σ dy / n over the windows that contain the element. */
const averagePool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const window = windowOf(at, intsAttribute(at.node, 'kernel_shape', []));
  const { axes, kernel, strides, dilations } = window;
  const channels = at.shape(0)[1];
  if (typeof channels !== 'number') return at.refuse('the number of its channels');
  const size = kernel.reduce((total, k) => total * k, 1);
  checkConstant(at, channels * size);
  const weighted = weightedBy(at, dy, window, size);
  if (axes.every(({ dilation, stride }) => dilation === 1 && stride === 1))
    return [averageOf(ops, weighted, window)];
  const weights = ops.constant(
    new Float32Array(channels * size).fill(1 / size),
    [channels, 1, ...kernel],
    'float32',
  );
  const dx = ops.op('ConvTranspose', [weighted, weights], {
    kernel_shape: kernel,
    strides,
    dilations,
    group: channels,
  });
  const missing = axes.map((axis) => {
    const reach = (axis.output - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    return axis.input + axis.begin - reach;
  });
  return [
    padSpatial(
      ops,
      dx,
      axes.map(({ begin }) => -begin),
      missing,
    ),
  ];
};

/**
 * y = (Σ |x|^p)^(1/p) over a window: dx = sign(x) |x|^(p-1) Σ dy / y^(p-1) over the windows that
 * contain the element.
 */
const lpPool: GradientRule = (at, [dy]) => {
  const { ops } = at;
  const p = intAttribute(at.node, 'p', 2);
  const window = windowOf(at, intsAttribute(at.node, 'kernel_shape', []));
  const power = (base: string): string => ops.op('Pow', [base, ops.scalar(p - 1, base)]);
  const share = ops.div(dy, power(at.output(0)));
  const pieces = elementOffsets(at, window).map((offset) => ({ offset, piece: share }));
  const x = at.input(0);
  return [
    ops.mul(ops.mul(place(at, pieces, window), power(ops.op('Abs', [x]))), ops.op('Sign', [x])),
  ];
};

/** Gradients of pooling over windows. */
export const pooling: FamilyRules<'pooling'> = {
  MaxPool: rule(maxPool),
  AveragePool: rule(averagePool),
  LpPool: rule(lpPool),
};
