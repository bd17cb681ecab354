import { batchNormalizationConstants } from '../../autodiff/index.ts';
import {
  constantAt,
  type Graph,
  type Initializer,
  inferShapes,
  intAttribute,
  type Node,
  opsetOf,
  producersOf,
  type Shape,
  type TensorType,
  tensorNumbers,
} from '../../onnx/index.ts';
import type { LayerBias } from '../model.ts';

/** A constant tensor, decoded. */
interface Constant {
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

/** One bias per channel, and the axis of the channels in the tensor that it is added to. */
interface ChannelBias {
  readonly values: readonly number[];
  readonly axis: number;
}

/** A graph with its producers and types. */
interface Lookup {
  readonly graph: Graph;
  readonly producers: ReadonlyMap<string, Node>;
  readonly types: ReadonlyMap<string, TensorType>;
}

/** A constant with more values than this is not a bias of channels. */
const LARGEST = 2 ** 16;

const decoded = (tensor: Initializer): Constant | undefined =>
  tensor.dims.reduce((count, dim) => count * dim, 1) > LARGEST
    ? undefined
    : { dims: tensor.dims, values: tensorNumbers(tensor) };

/** The constant behind a name, through nodes that pass it on, reshape it or dequantize it. */
function constantBehind(lookup: Lookup, name: string | undefined): Constant | undefined {
  const { graph, producers, types } = lookup;
  const constant = constantAt(graph, name ?? '', producers);
  if (constant) return decoded(constant);
  const maker = producers.get(name ?? '');
  const input = (index: number): Constant | undefined =>
    constantBehind(lookup, maker?.inputs[index]);
  switch (maker?.opType) {
    case 'Identity':
    case 'Cast':
      return input(0);
    case 'Reshape':
      return reshaped(input(0), input(1)?.values);
    case 'Unsqueeze':
    case 'Squeeze':
      return reshaped(input(0), dimsOf(types.get(name ?? '')?.shape));
    case 'DequantizeLinear':
      return dequantized(input(0), input(1), (maker.inputs[2] ?? '') === '' ? null : input(2));
    default:
      return undefined;
  }
}

const dimsOf = (shape: Shape | null | undefined): readonly number[] | undefined =>
  shape?.every((dim) => typeof dim === 'number') ? (shape as readonly number[]) : undefined;

function reshaped(
  constant: Constant | undefined,
  target: readonly number[] | undefined,
): Constant | undefined {
  if (!constant || !target) return undefined;
  const known = target.reduce((size, dim) => (dim === -1 ? size : size * dim), 1);
  const dims = target.map((dim) => (dim === -1 ? constant.values.length / known : dim));
  return { dims, values: constant.values };
}

/** (q - zero point) · scale for a vector, with one scale or one per element. */
function dequantized(
  q: Constant | undefined,
  scale: Constant | undefined,
  zero: Constant | null | undefined,
): Constant | undefined {
  if (!q || !scale || zero === undefined) return undefined;
  const each = (constant: Constant | null): ((index: number) => number | undefined) | undefined => {
    if (constant === null) return () => 0;
    if (constant.values.length === 1) return () => constant.values[0];
    return constant.values.length === q.values.length ? (i) => constant.values[i] : undefined;
  };
  const [s, z] = [each(scale), each(zero)];
  if (!s || !z) return undefined;
  const values = q.values.map((value, i) => (value - (z(i) ?? Number.NaN)) * (s(i) ?? Number.NaN));
  return { dims: q.dims, values };
}

/** Nodes after which a constant of one element can be the bias of a single channel. */
const LINEAR = new Set(['Conv', 'ConvTranspose', 'MatMul', 'Gemm', 'BatchNormalization', 'Mul']);

/**
 * The constant that an Add or Sub adds to each channel of a tensor: a vector along one axis, [C],
 * [C, 1, 1] or [1, C, 1, 1].
 */
function addedBias(lookup: Lookup, node: Node, shape: Shape): ChannelBias | undefined {
  const candidates = node.opType === 'Sub' ? [1] : [0, 1];
  for (const index of candidates) {
    const constant = constantBehind(lookup, node.inputs[index]);
    if (constant === undefined || constant.dims.length > shape.length) continue;
    const lead = shape.length - constant.dims.length;
    const long = constant.dims.flatMap((dim, axis) => (dim === 1 ? [] : [axis + lead]));
    const values = node.opType === 'Sub' ? constant.values.map((value) => -value) : constant.values;
    const [axis] = long;
    if (axis !== undefined) return long.length === 1 ? { values, axis } : undefined;
    const before = lookup.producers.get(node.inputs[1 - index] ?? '');
    const only = [1, shape.length - 1].find((channels) => shape[channels] === 1);
    if (only !== undefined && LINEAR.has(before?.opType ?? '')) return { values, axis: only };
  }
  return undefined;
}

/** The bias that a node adds to its output, if it adds one. */
function biasOf(lookup: Lookup, node: Node, shape: Shape): ChannelBias | undefined {
  const vector = (index: number, axis: number): ChannelBias | undefined => {
    const constant = constantBehind(lookup, node.inputs[index]);
    return constant && { values: constant.values, axis };
  };
  switch (node.opType) {
    case 'Conv':
    case 'ConvTranspose':
    case 'InstanceNormalization':
      return vector(2, 1);
    case 'GroupNormalization':
      return groupBias(vector(2, 1), shape, opsetOf(lookup.graph, node), node);
    case 'BatchNormalization': {
      const shift = batchNormalizationConstants(lookup.graph, node)?.shift;
      return shift && { values: shift, axis: 1 };
    }
    case 'LayerNormalization':
      return vector(2, shape.length - 1);
    case 'Add':
    case 'Sub':
      return addedBias(lookup, node, shape);
    default:
      return undefined;
  }
}

/** Before opset 21 a GroupNormalization has one bias for each group of channels. */
function groupBias(
  bias: ChannelBias | undefined,
  shape: Shape,
  opset: number,
  node: Node,
): ChannelBias | undefined {
  const channels = shape[1];
  const groups = intAttribute(node, 'num_groups', 1);
  if (!bias || opset >= 21 || typeof channels !== 'number') return bias;
  const each = channels / groups;
  return { axis: 1, values: bias.values.flatMap((value) => new Array<number>(each).fill(value)) };
}

/**
 * The biases of a network that are added to maps [n, channels, height, width] or [n, height, width,
 * channels], or to tokens [n, tokens, channels]. They come from convolutions, normalizations and
 * separate Add or Sub nodes, quantized or not. Tensors with another first axis than the tensor
 * `input` are left out, such as windows of a transformer.
 */
export function findBiases(graph: Graph, input: string): LayerBias[] {
  const types = inferShapes(graph);
  const lookup = { graph, producers: producersOf(graph), types };
  const batch = types.get(input)?.shape?.[0];
  return graph.nodes.flatMap((node) => {
    const [output = ''] = node.outputs;
    const shape = types.get(output)?.shape ?? [];
    if (shape[0] !== batch || shape.length < 3 || shape.length > 4 || node.domain !== '') return [];
    const bias = biasOf(lookup, node, shape);
    return bias && bias.values.length === shape[bias.axis]
      ? [{ name: output, bias: Float32Array.from(bias.values) }]
      : [];
  });
}
