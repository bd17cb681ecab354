import {
  type Graph,
  type Initializer,
  inferTensors,
  initializerOf,
  intAttribute,
  intsAttribute,
  type Node,
  type TensorInfo,
  tensorNumbers,
} from '../../onnx/index.ts';
import { largestConstant } from '../guard.ts';
import { type GraphView, nodeOf, otherInput, viewOf } from './pattern.ts';
import { prune } from './prune.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

/** A LayerNormalization that a graph computes with elementary operators. */
interface Match {
  /** The node that computes the result. The new node replaces it. */
  readonly last: Node;
  readonly x: string;
  readonly scale: string | undefined;
  readonly bias: string | undefined;
  readonly epsilon: number;
  /** Number of normalised axes. They are the last axes of x. */
  readonly axes: number;
}

/**
 * Replaces the nodes of (x - mean) / sqrt(variance + ε) · γ + β by one LayerNormalization or
 * InstanceNormalization node. Exports below opset 17 contain these nodes. One node is faster in the
 * forward pass, and LayerNormalization returns the mean and the deviation, which its gradient
 * needs. Tensors in `keep` stay.
 */
export function rebuildLayerNormalization(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!hasAny(graph, TRIGGERS.layerNormalization)) return graph;
  const view = viewOf(graph, keep);
  const known = inferTensors(graph);
  const initializers = new Map(graph.initializers);
  const replaced = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const match = node.opType === 'Div' ? matchAt(node, graph, view, known) : undefined;
    if (match === undefined) continue;
    const instance = instanceNormalization(match, node, graph, view, known, initializers);
    if (instance !== undefined) {
      replaced.set(instance.last, instance.node);
      continue;
    }
    const scale = match.scale ?? ones(match, known, initializers);
    if (scale === undefined) continue;
    const inputs = [match.x, scale, ...(match.bias === undefined ? [] : [match.bias])];
    const attributes = { axis: -match.axes, epsilon: match.epsilon };
    replaced.set(match.last, nodeOf('LayerNormalization', inputs, match.last.outputs, attributes));
  }
  if (replaced.size === 0) return graph;
  return prune({
    ...graph,
    nodes: graph.nodes.map((node) => replaced.get(node) ?? node),
    initializers,
  });
}

function matchAt(
  div: Node,
  graph: Graph,
  view: GraphView,
  known: ReadonlyMap<string, TensorInfo>,
): Match | undefined {
  const [difference = '', deviation = ''] = div.inputs;
  const centred = view.producer(difference, 'Sub');
  const [squared = ''] = view.producer(deviation, 'Sqrt')?.inputs ?? [];
  const sum = view.producer(squared, 'Add');
  if (!centred || !sum) return undefined;
  const [x = '', average = ''] = centred.inputs;
  const variance = firstProducer(view, sum.inputs, 'ReduceMean');
  const epsilon = variance && view.number(otherInput(sum, variance.outputs[0] ?? ''));
  const mean = view.producer(average, 'ReduceMean');
  if (!variance || !mean || epsilon === undefined || mean.inputs[0] !== x) return undefined;
  if (!isSquareOf(variance.inputs[0] ?? '', centred, view)) return undefined;
  const rank = known.get(x)?.shape?.length;
  const axes = rank === undefined ? undefined : trailingAxes(mean, graph, rank);
  if (rank === undefined || axes === undefined || trailingAxes(variance, graph, rank) !== axes)
    return undefined;
  return { ...affine(div, view, known, x, axes), x, epsilon, axes };
}

/**
 * The InstanceNormalization for a match that normalises over the height and width of maps [n, C, H,
 * W], with a scale and a bias per channel. Undefined for any other match.
 */
function instanceNormalization(
  { x, axes, scale, epsilon }: Match,
  div: Node,
  graph: Graph,
  view: GraphView,
  known: ReadonlyMap<string, TensorInfo>,
  initializers: Map<string, Initializer>,
): { last: Node; node: Node } | undefined {
  const { shape, type } = known.get(x) ?? {};
  const channels = shape?.[1];
  if (!shape || !type || shape.length < 4 || axes !== shape.length - 2) return undefined;
  if (scale !== undefined || typeof channels !== 'number') return undefined;
  if (channels > largestConstant) return undefined;
  const wanted = [channels, ...new Array<number>(axes).fill(1)].join();
  const values = (tensor: string): number[] | undefined => {
    const constant = graph.initializers.get(tensor);
    const fits = constant && [wanted, `1,${wanted}`].includes(constant.dims.join());
    return fits && constant.data.kind !== 'external' ? tensorNumbers(constant) : undefined;
  };
  const [normalized = ''] = div.outputs;
  const mul = view.onlyReader(normalized, 'Mul');
  const gamma = mul && values(otherInput(mul, normalized));
  const scaled = mul && gamma ? mul : div;
  const [product = ''] = scaled.outputs;
  const add = view.onlyReader(product, 'Add');
  const beta = add && values(otherInput(add, product));
  const last = add && beta ? add : scaled;
  const vector = (part: string, numbers: readonly number[]): string => {
    const name = `${normalized}/instance_${part}`;
    initializers.set(name, initializerOf(name, type, [channels], numbers));
    return name;
  };
  const inputs = [
    x,
    vector('scale', gamma ?? new Array<number>(channels).fill(1)),
    vector('bias', beta ?? new Array<number>(channels).fill(0)),
  ];
  return { last, node: nodeOf('InstanceNormalization', inputs, last.outputs, { epsilon }) };
}

/** The node that computes the first of `tensors` that a node of type `opType` computes. */
function firstProducer(
  view: GraphView,
  tensors: readonly string[],
  opType: string,
): Node | undefined {
  return tensors.map((tensor) => view.producer(tensor, opType)).find(Boolean);
}

/**
 * Whether a tensor is the square of the output of `centred`. Old exports contain that Sub twice.
 */
function isSquareOf(tensor: string, centred: Node, view: GraphView): boolean {
  const square = view.producer(tensor, 'Pow Mul');
  const [root = '', other = ''] = square?.inputs ?? [];
  const base = view.producer(root, 'Sub');
  if (!square || !base || base.inputs.join('\n') !== centred.inputs.join('\n')) return false;
  return square.opType === 'Mul' ? root === other : view.number(other) === 2;
}

/**
 * The number of axes of a ReduceMean, if they are the last axes and are kept; undefined otherwise.
 */
function trailingAxes(node: Node, graph: Graph, rank: number): number | undefined {
  if (intAttribute(node, 'keepdims', 1) !== 1) return undefined;
  const given = graph.initializers.get(node.inputs[1] ?? '');
  const axes = (given ? tensorNumbers(given) : intsAttribute(node, 'axes', []))
    .map((axis) => (axis < 0 ? axis + rank : axis))
    .sort((a, b) => a - b);
  return axes.length > 0 && axes.every((axis, i) => axis === rank - axes.length + i)
    ? axes.length
    : undefined;
}

/**
 * The scale and the bias after a normalization, if they are constants with the shape of the
 * normalised axes.
 */
function affine(
  div: Node,
  view: GraphView,
  known: ReadonlyMap<string, TensorInfo>,
  x: string,
  axes: number,
): Pick<Match, 'last' | 'scale' | 'bias'> {
  const wanted = known.get(x)?.shape?.slice(-axes).join();
  const fits = (tensor: string): boolean =>
    view.isConstant(tensor) && known.get(tensor)?.shape?.join() === wanted;
  const [normalized = ''] = div.outputs;
  const mul = view.onlyReader(normalized, 'Mul');
  const scale = mul && otherInput(mul, normalized);
  if (!mul || scale === undefined || !fits(scale))
    return { last: div, scale: undefined, bias: undefined };
  const [product = ''] = mul.outputs;
  const add = view.onlyReader(product, 'Add');
  const bias = add && otherInput(add, product);
  return add && bias !== undefined && fits(bias)
    ? { last: add, scale, bias }
    : { last: mul, scale, bias: undefined };
}

/** A scale of ones for a normalisation without a scale. */
function ones(
  { x, axes }: Match,
  known: ReadonlyMap<string, TensorInfo>,
  initializers: Map<string, Initializer>,
): string | undefined {
  const dims = known.get(x)?.shape?.slice(-axes);
  const type = known.get(x)?.type;
  if (!type || !dims?.every((dim) => typeof dim === 'number')) return undefined;
  const name = `layer_normalization_ones_${type}_${dims.join('x')}`;
  const sizes = dims as number[];
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count > largestConstant) return undefined;
  if (!initializers.has(name))
    initializers.set(name, initializerOf(name, type, sizes, new Array<number>(count).fill(1)));
  return name;
}
