import {
  floatAttribute,
  freshNames,
  type Graph,
  type Initializer,
  initializerOf,
  type Node,
  namesOf,
  tensorNumbers,
} from '../../onnx/index.ts';
import { type GraphView, nodeOf, viewOf } from './pattern.ts';
import { prune } from './prune.ts';

/**
 * Scale s and shift t of each channel, with which a BatchNormalization computes y = x s + t: s = γ
 * / sqrt(v + ε), t = β - m s. Both have C elements. Returns undefined if one of γ, β, m and v is
 * not an initializer.
 */
export function batchNormalizationConstants(
  graph: Graph,
  node: Node,
): { scale: number[]; shift: number[] } | undefined {
  const constants = node.inputs.slice(1, 5).map((name) => graph.initializers.get(name));
  if (constants.length < 4 || constants.some((constant) => constant === undefined))
    return undefined;
  const [gamma = [], beta = [], mean = [], variance = []] = (constants as Initializer[]).map(
    tensorNumbers,
  );
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const at = (values: readonly number[], c: number): number => values[c] ?? Number.NaN;
  const scale = gamma.map((value, c) => value / Math.sqrt(at(variance, c) + epsilon));
  return { scale, shift: beta.map((value, c) => value - at(mean, c) * at(scale, c)) };
}

/** y = x scale + shift for each channel. */
interface Affine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

/**
 * The values of a constant with one number per channel, for a feature map with `rank` axes. Its
 * shape must be [C, 1, 1] or [1, C, 1, 1] (for rank 4). Returns undefined for any other tensor.
 */
function perChannel(
  graph: Graph,
  name: string,
  channels: number,
  rank: number,
): readonly number[] | undefined {
  const constant = graph.initializers.get(name);
  if (!constant || constant.data.kind === 'external' || constant.dims.length > rank)
    return undefined;
  const lead = rank - constant.dims.length;
  const fits = constant.dims.every((dim, axis) => dim === (axis + lead === 1 ? channels : 1));
  return fits && lead <= 1 ? tensorNumbers(constant) : undefined;
}

/**
 * The scale and shift that a node applies to each channel of x. Returns undefined if the node
 * computes anything else.
 */
function affineOf(
  graph: Graph,
  node: Node,
  x: string,
  channels: number,
  rank: number,
): Affine | undefined {
  if (node.opType === 'BatchNormalization') {
    const constants = batchNormalizationConstants(graph, node);
    return constants?.scale.length === channels ? constants : undefined;
  }
  const isFirst = node.inputs[0] === x;
  const values = perChannel(graph, node.inputs[isFirst ? 1 : 0] ?? '', channels, rank);
  if (values === undefined) return undefined;
  const [zeros, ones] = [values.map(() => 0), values.map(() => 1)];
  if (node.opType === 'Add') return { scale: ones, shift: values };
  if (node.opType === 'Mul') return { scale: values, shift: zeros };
  if (!isFirst) return undefined;
  if (node.opType === 'Sub') return { scale: ones, shift: values.map((value) => -value) };
  return { scale: values.map((value) => 1 / value), shift: zeros };
}

const following = 'BatchNormalization Mul Add Sub Div';

/**
 * The nodes after a convolution that only scale and shift its channels, and their combined scale
 * and shift. Undefined if there are none.
 */
function affineChain(
  graph: Graph,
  view: GraphView,
  conv: Node,
  channels: number,
  rank: number,
): (Affine & { readonly nodes: readonly Node[]; readonly output: string }) | undefined {
  const nodes: Node[] = [];
  let [output = ''] = conv.outputs;
  let all: Affine | undefined;
  for (;;) {
    const next = view.onlyReader(output, following);
    const affine = next && affineOf(graph, next, output, channels, rank);
    if (!next || !affine) break;
    all = all ? inTurn(all, affine) : affine;
    nodes.push(next);
    [output = ''] = next.outputs;
  }
  return all && { ...all, nodes, output };
}

/** The scale and shift of two affine functions, one after the other. */
function inTurn(first: Affine, then: Affine): Affine {
  const at = (values: readonly number[], c: number): number => values[c] ?? Number.NaN;
  return {
    scale: first.scale.map((value, c) => value * at(then.scale, c)),
    shift: first.shift.map((value, c) => value * at(then.scale, c) + at(then.shift, c)),
  };
}

/**
 * Folds the nodes that scale and shift the channels of a convolution into the convolution: w' = w
 * s, b' = b s + t. These nodes are a BatchNormalization, or the Mul and Add that an exporter writes
 * for it. They must be the only consumers of the convolution. Relevance is then propagated through
 * one linear layer, and not through two layers whose biases cancel. Tensors in `keep` stay.
 */
export function foldBatchNormalization(graph: Graph, keep: ReadonlySet<string>): Graph {
  const view = viewOf(graph, keep);
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map(graph.initializers);
  const removed = new Set<Node>();
  const nodes = graph.nodes.flatMap((conv) => {
    if (conv.opType !== 'Conv' || conv.domain !== '') return [conv];
    const [x = '', weight = '', given = ''] = conv.inputs;
    const weights = graph.initializers.get(weight);
    const bias = given === '' ? undefined : graph.initializers.get(given);
    const [channels] = weights?.dims ?? [];
    if (!weights || channels === undefined || (given !== '' && !bias)) return [conv];
    const chain = affineChain(graph, view, conv, channels, weights.dims.length);
    if (chain === undefined) return [conv];
    const { scale, shift, output } = chain;
    const own = bias ? tensorNumbers(bias) : shift.map(() => 0);
    const [w, s, b] = ['weights', 'scale', 'bias'].map((part) =>
      fresh(`${conv.outputs[0]}/folded_${part}`),
    ) as [string, string, string];
    const constant = (name: string, dims: readonly number[], values: readonly number[]): void => {
      initializers.set(name, initializerOf(name, weights.type, dims, values));
    };
    constant(s, [channels, ...weights.dims.slice(1).map(() => 1)], scale);
    constant(
      b,
      [channels],
      own.map((value, c) => value * (scale[c] ?? Number.NaN) + (shift[c] ?? Number.NaN)),
    );
    for (const node of chain.nodes) removed.add(node);
    return [nodeOf('Mul', [weight, s], [w]), { ...conv, inputs: [x, w, b], outputs: [output] }];
  });
  return removed.size === 0
    ? graph
    : prune({ ...graph, nodes: nodes.filter((node) => !removed.has(node)), initializers });
}
