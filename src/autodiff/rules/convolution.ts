import { intAttribute, intsAttribute, stringAttribute } from '../../onnx/index.ts';
import { at as elementAt } from '../../tensor/at.ts';
import type { Ops } from '../ops.ts';
import { type GradientRule, type RuleContext, rule } from '../rule.ts';
import { partOf } from './axes.ts';
import { blocked, type Channels, padded, reversedWeights } from './convolution-parts.ts';
import type { FamilyRules } from './families.ts';
import { byCells, byPhases } from './strided-convolution.ts';
import { insertZeros, kernelOf, padSpatial, type Window, windowOf } from './window.ts';

const all = (sizes: readonly number[], value: number): boolean =>
  sizes.every((size) => size === value);

function channelsOf(at: RuleContext): Channels {
  const [outputs, perGroup] = at.shape(1);
  const group = intAttribute(at.node, 'group', 1);
  if (typeof outputs !== 'number' || typeof perGroup !== 'number')
    at.refuse('the shape of its weights');
  partOf(at, outputs as number, group);
  return { group, inputs: (perGroup as number) * group, outputs: outputs as number };
}

/** Stride 1: dx is a convolution, dy * w' with padding (k - 1) d - p. */
function byConvolution(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  window: Window,
): string {
  const { kernel, dilations } = window;
  const sizes = ops.shape(dy).slice(2) as readonly number[];
  const begin = window.axes.map((axis) => (axis.kernel - 1) * axis.dilation - axis.begin);
  // The padding after each axis makes the result as large as the input.
  const end = window.axes.map((axis, i) => axis.input - (elementAt(sizes, i) - axis.begin));
  return padded(ops, [dy, reversedWeights(ops, w, channels, kernel)], begin, end, {
    kernel_shape: kernel,
    dilations,
    group: channels.group,
    strides: kernel.map(() => 1),
  });
}

/** With zeros between the elements of dy, the gradient is that of a convolution with stride 1. */
function byInsertedZeros(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  window: Window,
): string {
  const extra = window.axes.map((axis) => {
    const reach = axis.input + axis.begin + axis.end - (axis.kernel - 1) * axis.dilation;
    return Math.max(0, reach - ((axis.output - 1) * axis.stride + 1));
  });
  const spread = insertZeros(ops, dy, channels.outputs, window.strides, extra);
  return byConvolution(ops, spread, w, channels, window);
}

/** Kernel 1: a convolution at the size of dy, then zeros between the elements. */
function pointwise(
  ops: Ops,
  dy: string,
  w: string,
  channels: Channels,
  { axes, strides, kernel }: Window,
): string {
  const dx = ops.op('Conv', [dy, reversedWeights(ops, w, channels, kernel)], {
    kernel_shape: kernel,
    group: channels.group,
  });
  const extra = axes.map(({ input, output, stride }) => input - ((output - 1) * stride + 1));
  return blocked(ops, insertZeros(ops, dx, channels.inputs, strides, extra));
}

/** The transposed convolution of ONNX, if no other form is faster. */
function byTransposed(
  ops: Ops,
  dy: string,
  w: string,
  { group }: Channels,
  window: Window,
): string {
  const { axes, kernel, strides, dilations } = window;
  const missing = axes.map(({ input, output, kernel: size, stride, dilation, begin, end }) => {
    const reached = (output - 1) * stride + (size - 1) * dilation + 1 - begin - end;
    return input - reached;
  });
  // If the last window exceeds the input (ceil mode, SAME), the result is too large and is cropped.
  const extra = missing.map((count) => Math.max(0, count));
  const dx = ops.op('ConvTranspose', [dy, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    group,
    pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
    output_padding: extra.some((count) => count > 0) ? extra : undefined,
  });
  const cropped = padSpatial(
    ops,
    dx,
    kernel.map(() => 0),
    missing.map((count) => Math.min(0, count)),
  );
  return blocked(ops, cropped);
}

/**
 * Largest stride for which the gradient is computed by cells. Classifiers have no larger strides,
 * and the number of nodes grows with the stride.
 */
const largestCell = 64;
/**
 * Largest number of elements of a kernel for which the gradient is computed by cells. That form has
 * a table of all elements.
 */
const largestKernel = 256;

/**
 * dx = Σ dy w over the windows that contain the element. The form depends on which one is fastest
 * for the kernel and the stride.
 */
function inputGradient(at: RuleContext, dy: string): string {
  const { ops } = at;
  const window = windowOf(at, kernelOf(at));
  const channels = channelsOf(at);
  const w = at.input(1);
  const { axes, kernel, strides, dilations } = window;
  if (all(strides, 1)) return byConvolution(ops, dy, w, channels, window);
  const unpadded = axes.every(({ begin, end }) => begin === 0 && end === 0);
  if (all(kernel, 1) && unpadded) return pointwise(ops, dy, w, channels, window);
  const depthwise = channels.group > 1 && channels.inputs === channels.group;
  if (depthwise && strides.every((stride) => stride <= 2))
    return byInsertedZeros(ops, dy, w, channels, window);
  const [stride = 1] = strides;
  const square = kernel.length === 2 && stride === strides[1] && stride <= largestCell;
  const isTabled = kernel.every((size) => size <= largestKernel);
  const large =
    kernel.every((size) => size >= 5) || axes.every((axis) => axis.kernel <= axis.stride);
  if (channels.group === 1 && square && large && isTabled && all(dilations, 1))
    return byCells(ops, dy, w, channels, window);
  const wide =
    channels.inputs / channels.group >= 16 && axes.every((axis) => axis.kernel >= axis.stride);
  if (square && wide && all(dilations, 1)) return byPhases(ops, dy, w, channels, window);
  return byTransposed(ops, dy, w, channels, window);
}

/** db = Σ dy over all axes but the channels. */
function biasGradient(at: RuleContext, dy: string): string {
  const axes = at.ops.shape(dy).flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  return at.ops.reduceSum(dy, axes, false);
}

/** y = x * w + b: see `inputGradient` and `biasGradient`. */
const conv: GradientRule = (at, [dy]) => {
  if (at.needs(1)) at.refuse('weights that do not depend on the tensor to differentiate by');
  return [at.needs(0) ? inputGradient(at, dy) : '', '', at.needs(2) ? biasGradient(at, dy) : ''];
};

/**
 * The padding of a ConvTranspose before and after each axis: as given, or computed from the
 * output's size.
 */
function transposedPads(at: RuleContext): { begin: number[]; end: number[] } {
  const { node } = at;
  const kernel = kernelOf(at);
  const ones = kernel.map(() => 1);
  const zeros = kernel.map(() => 0);
  const [x, y] = [at.shape(0).slice(2), at.ops.shape(elementAt(node.outputs, 0)).slice(2)] as [
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
  const total = kernel.map((size, i) => {
    const reach = (elementAt(x, i) - 1) * elementAt(strides, i) + elementAt(extra, i);
    const window = (size - 1) * elementAt(dilations, i) + 1;
    return Math.max(0, reach + window - elementAt(y, i));
  });
  const [small, large] = [
    total.map((count) => Math.floor(count / 2)),
    total.map((count) => Math.ceil(count / 2)),
  ];
  return autoPad === 'SAME_UPPER' ? { begin: small, end: large } : { begin: large, end: small };
}

/** y = x *ᵀ w + b: dx is the convolution of dy with the same weights. */
const convTranspose: GradientRule = (at, [dy]) => {
  if (at.needs(1)) at.refuse('weights that do not depend on the tensor to differentiate by');
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
  // Output padding that is longer than a stride adds windows.
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
export const convolution: FamilyRules<'convolution'> = {
  Conv: rule(conv),
  ConvTranspose: rule(convTranspose),
};
