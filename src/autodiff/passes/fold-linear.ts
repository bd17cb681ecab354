import {
  type Graph,
  inferTensors,
  intsAttribute,
  type Node,
  stringAttribute,
  type TensorInfo,
  tensorNumbers,
} from '../../onnx/index.ts';
import { type GraphView, nodeOf, otherInput, viewOf } from './pattern.ts';
import { prune } from './prune.ts';

type Known = ReadonlyMap<string, TensorInfo>;

/**
 * The graph with the pieces of linear layers in one node each: zeros that a Pad puts around the
 * input of a convolution become its padding, and the Add behind a product [n, c] with a constant
 * matrix becomes the bias of a Gemm. Rules for a layer that look at its bias, or count the elements
 * of its window, see the same layer then, whichever way it was exported.
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
    const product = node.inputs.find((name) => view.onlyReader(name, 'Add') === node);
    const matMul = product === undefined ? undefined : view.producer(product, 'MatMul');
    if (product === undefined || matMul === undefined) return node;
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

/** A convolution with the padding of the Pad before it, if that adds zeros around the map only. */
function paddedConv(conv: Node, graph: Graph, view: GraphView): Node | undefined {
  const [padded = ''] = conv.inputs;
  const pad = view.onlyReader(padded, 'Conv') && view.producer(padded, 'Pad');
  const rank = graph.initializers.get(conv.inputs[1] ?? '')?.dims.length;
  if (!pad || rank === undefined || (pad.inputs[3] ?? '') !== '') return undefined;
  if (stringAttribute(pad, 'mode', 'constant') !== 'constant') return undefined;
  if (!['NOTSET', ''].includes(stringAttribute(conv, 'auto_pad', 'NOTSET'))) return undefined;
  const value = pad.attributes.get('value');
  const fill = (pad.inputs[2] ?? '') === '' ? 0 : view.number(pad.inputs[2] ?? '');
  if (fill !== 0 || (value?.type === 'float' && value.value !== 0)) return undefined;
  const given = graph.initializers.get(pad.inputs[1] ?? '');
  const pads = given ? tensorNumbers(given) : intsAttribute(pad, 'pads', []);
  const [before, after] = [pads.slice(0, rank), pads.slice(rank)];
  const outer = [...before.slice(0, 2), ...after.slice(0, 2)];
  if (pads.length !== 2 * rank || outer.some((count) => count !== 0)) return undefined;
  if (pads.some((count) => count < 0)) return undefined;
  const own = intsAttribute(conv, 'pads', new Array<number>(2 * (rank - 2)).fill(0));
  const all = [...before.slice(2), ...after.slice(2)].map((count, i) => count + (own[i] ?? 0));
  const attributes = new Map([...conv.attributes, ['pads', { type: 'ints', value: all }] as const]);
  return { ...conv, inputs: [pad.inputs[0] ?? '', ...conv.inputs.slice(1)], attributes };
}
