import {
  floatAttribute,
  type Graph,
  inferTensors,
  intAttribute,
  intsAttribute,
  type Node,
  stringAttribute,
  type TensorInfo,
  tensorNumbers,
} from '../../onnx/index.ts';
import { type GraphView, nodeOf, otherInput, viewOf } from './pattern.ts';
import { prune } from './prune.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

type Known = ReadonlyMap<string, TensorInfo>;

/**
 * Merges the nodes of each linear layer into one node. A Pad with zeros before a convolution
 * becomes the padding of the convolution. A MatMul of [n, c] with a constant matrix and an Add of a
 * constant become one Gemm with a bias. Some rules use the bias of a layer or count the elements of
 * its window. With this pass, they compute the same for all exports of the layer. Tensors in `keep`
 * stay.
 */
export function foldLinear(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!graph.nodes.some(({ opType }) => opType === 'Pad' || opType === 'MatMul')) return graph;
  const view = viewOf(graph, keep);
  const known = inferTensors(graph);
  const removed = new Set<Node>();
  const nodes = graph.nodes.map((node) => {
    if (node.domain !== '') return node;
    if (node.opType === 'Conv') return paddedConv(node, graph, view) ?? node;
    if (node.opType !== 'Add' || node.outputs[0] === undefined) return node;
    const product = node.inputs.find((name) => view.producer(name, 'MatMul') !== undefined);
    const matMul = product === undefined ? undefined : view.producer(product, 'MatMul');
    if (product === undefined || matMul === undefined) return node;
    if (view.onlyReader(product, 'Add') !== node) return node;
    const bias = otherInput(node, product);
    if (!isDense(matMul, bias, view, known)) return node;
    removed.add(matMul);
    return nodeOf('Gemm', [...matMul.inputs, bias], node.outputs);
  });
  return prune({ ...graph, nodes: nodes.filter((node) => !removed.has(node)) });
}

/** Whether x w + b is x [n, c] times a constant matrix plus a constant vector. */
function isDense(matMul: Node, bias: string, view: GraphView, known: Known): boolean {
  const [x = '', w = ''] = matMul.inputs;
  const [from, matrix, vector] = [x, w, bias].map((name) => known.get(name)?.shape);
  if (view.isConstant(x) || !view.isConstant(w) || !view.isConstant(bias)) return false;
  if (from?.length !== 2 || matrix?.length !== 2 || !vector || vector.length > 2) return false;
  return vector.at(-1) === matrix[1] && vector.slice(0, -1).every((dim) => dim === 1);
}

/**
 * The convolution with the padding of the Pad before it. Undefined if there is no such Pad, or if
 * it does more than add zeros around the feature map.
 */
function paddedConv(conv: Node, graph: Graph, view: GraphView): Node | undefined {
  const rank = graph.initializers.get(conv.inputs[1] ?? '')?.dims.length;
  const pad = rank === undefined ? undefined : padBefore(conv, rank, graph, view);
  return pad?.fill === 0 ? withPads(conv, pad) : undefined;
}

/** A padding with numbers at or below this can never be the maximum of a window. */
const lowest = -3e38;

/**
 * Turns a Pad before a MaxPool into padding of the MaxPool. The Pad must add very low numbers, or
 * zeros around values that are never negative. Without this pass, if the largest pixel of a window
 * is 0, the gradient could go to the padding instead of the pixel. Tensors in `keep` stay.
 */
export function foldPoolPadding(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!hasAny(graph, TRIGGERS.poolPadding)) return graph;
  const view = viewOf(graph, keep);
  const isPositive = (tensor: string): boolean => {
    const maker = view.producer(tensor, 'Relu Sigmoid Clip');
    const [, min = ''] = maker?.inputs ?? [];
    const bound = maker?.attributes.get('min');
    return maker?.opType === 'Clip'
      ? (view.number(min) ?? (bound?.type === 'float' ? bound.value : -1)) >= 0
      : maker !== undefined;
  };
  const nodes = graph.nodes.map((node) => {
    if (node.domain !== '' || node.opType !== 'MaxPool') return node;
    // The output of indices counts elements of the padded map. With ceil_mode, the last windows
    // depend on which node does the padding.
    if (node.outputs.length > 1 || intAttribute(node, 'ceil_mode', 0) === 1) return node;
    const kernel = intsAttribute(node, 'kernel_shape', []);
    const pad = padBefore(node, kernel.length + 2, graph, view);
    if (!pad || !(pad.fill <= lowest || (pad.fill === 0 && isPositive(pad.x)))) return node;
    const padded = withPads(node, pad);
    // The runtime refuses padding that is as wide as the window.
    const pads = intsAttribute(padded, 'pads', []);
    return pads.every((count, i) => count < (kernel[i % kernel.length] ?? 0)) ? padded : node;
  });
  return prune({ ...graph, nodes });
}

/**
 * A Pad that only one node reads: its input `x`, the number `fill` that it adds, and the counts of
 * added elements before and after each spatial axis.
 */
interface Padding {
  readonly x: string;
  readonly fill: number;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

function padBefore(reader: Node, rank: number, graph: Graph, view: GraphView): Padding | undefined {
  const [padded = ''] = reader.inputs;
  const pad = view.onlyReader(padded, reader.opType) && view.producer(padded, 'Pad');
  if (!pad || (pad.inputs[3] ?? '') !== '') return undefined;
  if (stringAttribute(pad, 'mode', 'constant') !== 'constant') return undefined;
  if (!['NOTSET', ''].includes(stringAttribute(reader, 'auto_pad', 'NOTSET'))) return undefined;
  const given = graph.initializers.get(pad.inputs[1] ?? '');
  const pads = given ? tensorNumbers(given) : intsAttribute(pad, 'pads', []);
  const [before, after] = [pads.slice(0, rank), pads.slice(rank)];
  const outer = [...before.slice(0, 2), ...after.slice(0, 2)];
  if (pads.length !== 2 * rank || outer.some((count) => count !== 0)) return undefined;
  const constant = pad.inputs[2] ?? '';
  const fill = constant === '' ? floatAttribute(pad, 'value', 0) : view.number(constant);
  const isCropped = pads.some((count) => count < 0);
  if (fill === undefined || isCropped) return undefined;
  return { x: pad.inputs[0] ?? '', fill, before: before.slice(2), after: after.slice(2) };
}

/** The node with the input of the Pad, and with the padding of the Pad added to its own padding. */
function withPads(node: Node, { x, before, after }: Padding): Node {
  const around = [...before, ...after];
  const own = intsAttribute(node, 'pads', new Array<number>(around.length).fill(0));
  const pads = around.map((count, i) => count + (own[i] ?? 0));
  const attributes = new Map([
    ...node.attributes,
    ['pads', { type: 'ints', value: pads }] as const,
  ]);
  return { ...node, inputs: [x, ...node.inputs.slice(1)], attributes };
}
