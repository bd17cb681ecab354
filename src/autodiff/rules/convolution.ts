import { intAttribute, intsAttribute, stringAttribute } from '../../onnx/index.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, type RuleTable, rule } from '../rule.ts';
import { insertZeros, kernelOf, padSpatial, type Window, windowOf } from './window.ts';

/** The sizes of a Conv beside its window: weights [outputs, channels / group, …kernel]. */
interface Channels {
  readonly group: number;
  /** Channels of the input. */
  readonly inputs: number;
  /** Channels of the output. */
  readonly outputs: number;
}

const product = (sizes: readonly number[]): number =>
  sizes.reduce((total, size) => total * size, 1);
const all = (sizes: readonly number[], value: number): boolean =>
  sizes.every((size) => size === value);

function channelsOf(at: RuleContext): Channels {
  const [outputs, perGroup] = at.shape(1);
  const group = intAttribute(at.node, 'group', 1);
  if (typeof outputs !== 'number' || typeof perGroup !== 'number')
    at.refuse('the shape of its weights');
  return { group, inputs: (perGroup as number) * group, outputs: outputs as number };
}

/**
 * Weights turned around in space, read as those of the transposed convolution: w'[c, m, k] = w[m,
 * c, -k] in each group.
 */
function reversedWeights(
  ops: Ops,
  w: string,
  { group, inputs, outputs }: Channels,
  kernel: readonly number[],
): string {
  const [m, c, size] = [outputs / group, inputs / group, product(kernel)];
  let turned = w;
  if (size > 1) turned = ops.flip(ops.reshape(w, [outputs, c, size]), 2);
  if (m > 1 || c > 1) {
    const split = ops.reshape(turned, [group, m, c, size]);
    turned = ops.transpose(split, [0, 2, 1, 3]);
  }
  return ops.reshape(turned, [inputs, m, ...kernel]);
}

/** Stride 1: dx = dy * w', padded by (k - 1) d - p: a convolution again. */
function byConvolution(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  window: Window,
): string {
  const { kernel, dilations, input } = window;
  const begin = kernel.map((size, i) => (size - 1) * dilations[i] - window.begin[i]);
  const sizes = ops.shape(dy).slice(2) as readonly number[];
  // Behind, whatever makes the result as large as the input.
  const end = kernel.map((size, i) => input[i] - (sizes[i] + begin[i] - (size - 1) * dilations[i]));
  const cropped = padSpatial(
    ops,
    dy,
    begin.map((count) => Math.min(0, count)),
    end.map((count) => Math.min(0, count)),
  );
  return ops.op('Conv', [cropped, reversedWeights(ops, w, channels, kernel)], {
    kernel_shape: kernel,
    dilations,
    group: channels.group,
    strides: kernel.map(() => 1),
    pads: [...begin, ...end].map((count) => Math.max(0, count)),
  });
}

/**
 * Zeros between the elements of dy make a stride of 1: the gradient of a convolution without one.
 */
function byInsertedZeros(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  window: Window,
): string {
  const reach = window.input.map(
    (size, i) =>
      size + window.begin[i] + window.end[i] - (window.kernel[i] - 1) * window.dilations[i],
  );
  const extra = reach.map((size, i) =>
    Math.max(0, size - ((window.output[i] - 1) * window.strides[i] + 1)),
  );
  const spread = insertZeros(ops, dy, channels.outputs, window.strides, extra);
  return byConvolution(ops, spread, w, channels, window);
}

/**
 * A pooling of 1 × 1 changes nothing, but brings a tensor back into the blocked layout of the CPU
 * runtime, which transposed convolutions leave: the sums and gates of the residual blocks that
 * follow stay in it then.
 */
function blocked(ops: Ops, x: string): string {
  return ops.shape(x).length === 4 ? ops.op('MaxPool', [x], { kernel_shape: [1, 1] }) : x;
}

/** Kernel 1: the convolution at the small size, then zeros between. */
function pointwise(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  { input, output, strides, kernel }: Window,
): string {
  const dx = ops.op('Conv', [dy, reversedWeights(ops, w, channels, kernel)], {
    kernel_shape: kernel,
    group: channels.group,
  });
  const extra = input.map((size, i) => size - ((output[i] - 1) * strides[i] + 1));
  return blocked(ops, insertZeros(ops, dx, channels.inputs, strides, extra));
}

/**
 * Fewer channels than this leave the CPU runtime's convolution, which makes several blocks of 16 at
 * once, half idle.
 */
const fewChannels = 32;

/**
 * Whole cells of S × S elements of dx at once, as channels of one convolution, then depth to
 * space. S is the stride s, or t = 2 of them where the channels would be few; the convolution of dy
 * then has the stride t. With i = S q + r and k = r + p - s j: dx[S q + r] = Σ_j dy[t q + j] w[k],
 * over every j for which k is in the kernel.
 */
function byCells(
  ops: Ops,
  dy: string,
  w: string,
  { inputs, outputs }: Channels,
  { kernel, strides, begin, input, output }: Window,
): string {
  const s = strides[0];
  const t = s * s * inputs < fewChannels && s <= 4 ? 2 : 1;
  const cell = s * t;
  const first = kernel.map((size, i) => Math.ceil((begin[i] - size + 1) / s));
  const taps = first.map((from, i) => Math.floor((cell - 1 + begin[i]) / s) - from + 1);
  const along = kernel.map((size, i) =>
    Array.from({ length: cell * taps[i] }, (_, at) => {
      const k = Math.floor(at / taps[i]) + begin[i] - s * (first[i] + (at % taps[i]));
      return k >= 0 && k < size ? k : null;
    }),
  );
  // [r, j] of rows by [r, j] of columns; what is outside the kernel is the zero behind it.
  const elements = along[0].flatMap((y) =>
    along[1].map((x) => (y === null || x === null ? product(kernel) : y * kernel[1] + x)),
  );
  const flat = ops.pad(ops.reshape(w, [outputs, inputs, product(kernel)]), [0, 0, 0], [0, 0, 1]);
  const gathered = ops.op('Gather', [flat, ops.ints(elements)], { axis: 2 });
  const split = ops.reshape(gathered, [outputs, inputs, cell, taps[0], cell, taps[1]]);
  const weights = ops.reshape(ops.transpose(split, [2, 4, 1, 0, 3, 5]), [
    cell * cell * inputs,
    outputs,
    ...taps,
  ]);
  const count = input.map((size) => Math.ceil(size / cell));
  const end = count.map((size, i) => (size - 1) * t + taps[i] + first[i] - output[i]);
  const cropped = padSpatial(
    ops,
    dy,
    first.map((from) => Math.min(0, -from)),
    end.map((length) => Math.min(0, length)),
  );
  const pads = [...first.map((from) => -from), ...end].map((length) => Math.max(0, length));
  const cells = ops.op('Conv', [cropped, weights], { kernel_shape: taps, strides: [t, t], pads });
  return padSpatial(
    ops,
    ops.op('DepthToSpace', [cells], { blocksize: cell }),
    [0, 0],
    input.map((size, i) => size - count[i] * cell),
  );
}

/**
 * Each of the s × s phases of dx by a convolution with the weights that reach it and no others,
 * then the phases are put in their places. With i = s q + r and k = r + p - s j: dx[s q + r] = Σ_j
 * dy[q + j] w[k].
 */
function byPhases(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  { kernel, strides, begin, input, output }: Window,
): string {
  const [s] = strides;
  const count = input.map((size) => Math.ceil(size / s));
  const along = (
    axis: number,
    r: number,
  ): { taps: readonly number[]; pads: readonly [number, number] } => {
    const taps = Array.from({ length: kernel[axis] }, (_, k) => k).filter(
      (k) => (r + begin[axis] - k) % s === 0,
    );
    const first = (r + begin[axis] - taps[taps.length - 1]) / s;
    return { taps, pads: [-first, count[axis] - 1 + taps.length + first - output[axis]] };
  };
  const residues = Array.from({ length: s }, (_, r) => r);
  const phases = residues.flatMap((ry) =>
    residues.map((rx) => {
      const [rows, columns] = [along(0, ry), along(1, rx)];
      const taken = ops.op(
        'Gather',
        [ops.op('Gather', [w, ops.ints(rows.taps)], { axis: 2 }), ops.ints(columns.taps)],
        { axis: 3 },
      );
      const shape = [rows.taps.length, columns.taps.length];
      const [before, after] = [0, 1].map((side) => [rows.pads[side], columns.pads[side]]);
      const cropped = padSpatial(
        ops,
        dy,
        before.map((length) => Math.min(0, length)),
        after.map((length) => Math.min(0, length)),
      );
      const pads = [...before, ...after].map((length) => Math.max(0, length));
      return ops.op('Conv', [cropped, reversedWeights(ops, taken, channels, shape)], {
        kernel_shape: shape,
        group: channels.group,
        pads,
      });
    }),
  );
  // Depth to space with the channels behind, where they move as a whole. A batch size of -1 would
  // hide from the runtime that it is that of the gates to come, and it would leave the blocked
  // layout.
  const c = channels.inputs;
  const [rows, columns] = count;
  const behind = ops.reshape(ops.transpose(ops.concat(phases, 1), [0, 2, 3, 1]), [
    0,
    rows,
    columns,
    s,
    s * c,
  ]);
  const whole = ops.reshape(ops.transpose(behind, [0, 1, 3, 2, 4]), [0, rows * s, columns * s, c]);
  const dx = ops.transpose(whole, [0, 3, 1, 2]);
  return blocked(
    ops,
    padSpatial(
      ops,
      dx,
      [0, 0],
      input.map((size, i) => size - count[i] * s),
    ),
  );
}

/** The transposed convolution of ONNX, for what no other form is better at. */
function byTransposed(
  ops: Ops,
  dy: string,
  w: string,
  { group }: Channels,
  window: Window,
): string {
  const { kernel, strides, dilations, begin, end, input, output } = window;
  const reached = kernel.map(
    (size, i) => (output[i] - 1) * strides[i] + (size - 1) * dilations[i] + 1 - begin[i] - end[i],
  );
  // A window that overhangs (ceil mode, SAME) gives more than the input: cropped behind.
  const extra = input.map((size, i) => Math.max(0, size - reached[i]));
  const dx = ops.op('ConvTranspose', [dy, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    group,
    pads: [...begin, ...end],
    output_padding: extra.some((count) => count > 0) ? extra : undefined,
  });
  const cropped = padSpatial(
    ops,
    dx,
    kernel.map(() => 0),
    input.map((size, i) => Math.min(0, size - reached[i])),
  );
  return blocked(ops, cropped);
}

/** Strides beyond this are no part of a classifier, and a form by phases would count them all. */
const largestCell = 64;

/**
 * dx = Σ dy w over the windows that an element is in, in the form that is fastest for the kernel
 * and stride.
 */
function inputGradient(at: RuleContext, dy: string): string {
  const { ops } = at;
  const window = windowOf(at, kernelOf(at));
  const channels = channelsOf(at);
  const w = at.input(1);
  const { kernel, strides, dilations, begin, end } = window;
  if (all(strides, 1)) return byConvolution(ops, dy, w, channels, window);
  const unpadded = all([...begin, ...end], 0);
  if (all(kernel, 1) && unpadded) return pointwise(ops, dy, w, channels, window);
  const depthwise = channels.group > 1 && channels.inputs === channels.group;
  if (depthwise && strides.every((stride) => stride <= 2))
    return byInsertedZeros(ops, dy, w, channels, window);
  const [stride = 1] = strides;
  const square = kernel.length === 2 && stride === strides[1] && stride <= largestCell;
  const large = kernel.every((size) => size >= 5) || kernel.every((size, i) => size <= strides[i]);
  if (channels.group === 1 && square && large && all(dilations, 1))
    return byCells(ops, dy, w, channels, window);
  const wide =
    channels.inputs / channels.group >= 16 && kernel.every((size, i) => size >= strides[i]);
  if (square && wide && all(dilations, 1)) return byPhases(ops, dy, w, channels, window);
  return byTransposed(ops, dy, w, channels, window);
}

/** db = Σ dy over everything but the channels. */
function biasGradient(at: RuleContext, dy: string): string {
  const axes = at.ops.shape(dy).flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  return at.ops.reduceSum(dy, axes, false);
}

/** y = x * w + b */
const conv: GradientRule = (at, [dy]) => {
  if (at.needs(1)) at.refuse('weights that do not depend on what it is differentiated by');
  return [at.needs(0) ? inputGradient(at, dy) : '', '', at.needs(2) ? biasGradient(at, dy) : ''];
};

/** The padding of a ConvTranspose in front of its output: given, or from the output's size. */
function transposedPads(at: RuleContext): { begin: number[]; end: number[] } {
  const { node } = at;
  const kernel = kernelOf(at);
  const ones = kernel.map(() => 1);
  const zeros = kernel.map(() => 0);
  const [x, y] = [at.shape(0).slice(2), at.ops.shape(node.outputs[0]).slice(2)] as [
    number[],
    number[],
  ];
  const [strides, dilations, extra] = [
    intsAttribute(node, 'strides', ones),
    intsAttribute(node, 'dilations', ones),
    intsAttribute(node, 'output_padding', zeros),
  ];
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const given = intsAttribute(node, 'pads', [...zeros, ...zeros]);
  if ((autoPad === 'NOTSET' || autoPad === '') && !intsAttribute(node, 'output_shape')) {
    return { begin: given.slice(0, kernel.length), end: given.slice(kernel.length) };
  }
  const total = kernel.map((size, i) =>
    Math.max(0, (x[i] - 1) * strides[i] + extra[i] + (size - 1) * dilations[i] + 1 - y[i]),
  );
  const [small, large] = [
    total.map((count) => Math.floor(count / 2)),
    total.map((count) => Math.ceil(count / 2)),
  ];
  return autoPad === 'SAME_UPPER' ? { begin: small, end: large } : { begin: large, end: small };
}

/** y = x *ᵀ w + b: dx is the convolution of dy with the same weights. */
const convTranspose: GradientRule = (at, [dy]) => {
  if (at.needs(1)) at.refuse('weights that do not depend on what it is differentiated by');
  const bias = at.needs(2) ? biasGradient(at, dy) : '';
  if (!at.needs(0)) return ['', '', bias];
  const kernel = kernelOf(at);
  const { begin, end } = transposedPads(at);
  const dx = at.ops.op('Conv', [dy, at.input(1)], {
    kernel_shape: kernel,
    strides: intsAttribute(at.node, 'strides'),
    dilations: intsAttribute(at.node, 'dilations'),
    group: intAttribute(at.node, 'group', 1),
    pads: [...begin, ...end],
  });
  // Output padding longer than a stride gives windows of its own.
  const extra = at
    .shape(0)
    .map((dim, axis) =>
      axis < 2 || typeof dim !== 'number' ? 0 : dim - Number(at.ops.shape(dx)[axis]),
    );
  return [
    padSpatial(
      at.ops,
      dx,
      extra.slice(2).map(() => 0),
      extra.slice(2),
    ),
    '',
    bias,
  ];
};

/** Gradients of convolutions. */
export const convolution: RuleTable = {
  Conv: rule(conv),
  ConvTranspose: rule(convTranspose),
};
