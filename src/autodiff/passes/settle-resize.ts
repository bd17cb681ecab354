import {
  freshNames,
  type Graph,
  type Initializer,
  inferTensors,
  initializerOf,
  type Node,
  namesOf,
  opsetOf,
  type Shape,
} from '../../onnx/index.ts';
import { nodeOf } from './pattern.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

/** The spatial axes of a Resize by scales, and what they become. */
interface Scaled {
  readonly from: Shape;
  readonly to: Shape;
  readonly scales: readonly number[];
}

interface Workshop {
  readonly fresh: (wish: string) => string;
  readonly initializers: Map<string, Initializer>;
}

/**
 * The graph without sizes that the runtime's checks and its kernels compute differently: 150 times
 * the float32 0.44 is 66 to the kernel of Resize, and 65 to the check of the nodes behind it, which
 * then refuses what a backward pass does with 66. Such a Resize gets its sizes, or, where these
 * would give another scale, the next larger scale.
 */
export function settleResize(graph: Graph): Graph {
  if (!hasAny(graph, TRIGGERS.sizes)) return graph;
  const known = inferTensors(graph);
  const workshop = { fresh: freshNames(namesOf(graph)), initializers: new Map(graph.initializers) };
  const nodes = graph.nodes.flatMap((node) => {
    const scaled = scaledBy(node, graph, (name) => known.get(name));
    if (scaled === undefined || !scaled.from.some((_, axis) => isUnsettled(scaled, axis)))
      return [node];
    // Before opset 13 a Resize needs its scales, also beside sizes.
    return opsetOf(graph, node) >= 13 && keepsScales(scaled)
      ? bySizes(node, scaled, workshop)
      : [byLargerScales(node, scaled, opsetOf(graph, node), workshop)];
  });
  return { ...graph, nodes, initializers: workshop.initializers };
}

function scaledBy(
  node: Node,
  graph: Graph,
  info: (name: string) => { shape: Shape | null; value: readonly unknown[] | null } | undefined,
): Scaled | undefined {
  if (node.domain !== '' || !['Resize', 'Upsample'].includes(node.opType)) return undefined;
  if (node.attributes.has('axes')) return undefined;
  const index = node.opType === 'Resize' && opsetOf(graph, node) >= 11 ? 2 : 1;
  const scales = info(node.inputs[index] ?? '')?.value;
  const [from, to] = [info(node.inputs[0] ?? '')?.shape, info(node.outputs[0] ?? '')?.shape];
  if (!from || !to || scales?.length !== from.length) return undefined;
  return { from, to, scales: scales.map(Number) };
}

/** Whether the size of an axis depends on the precision of the product. */
function isUnsettled({ from, to, scales }: Scaled, axis: number): boolean {
  const [size, target, scale] = [from[axis], to[axis], scales[axis]];
  return (
    typeof size === 'number' &&
    typeof target === 'number' &&
    scale !== undefined &&
    Math.floor(size * scale) !== target
  );
}

/**
 * Whether the scales that follow from the sizes are those of the node, batch and channels aside.
 */
function keepsScales({ from, to, scales }: Scaled): boolean {
  return scales.every((scale, axis) => {
    const [size, target] = [from[axis], to[axis]];
    if (axis === 0) return scale === 1;
    return (
      typeof size === 'number' &&
      typeof target === 'number' &&
      Math.fround(target / size) === Math.fround(scale)
    );
  });
}

/** The node with sizes in place of scales: the batch as it comes, the others as constants. */
function bySizes(node: Node, { to }: Scaled, { fresh, initializers }: Workshop): Node[] {
  const [x = '', roi = ''] = node.inputs;
  const constant = (values: readonly number[]): string => {
    const name = fresh(`${node.outputs[0]}/sizes`);
    initializers.set(name, initializerOf(name, 'int64', [values.length], values));
    return name;
  };
  const [shape, batch, sizes] = ['shape', 'batch', 'sizes'].map((part) =>
    fresh(`${node.outputs[0]}/${part}`),
  ) as [string, string, string];
  return [
    nodeOf('Shape', [x], [shape]),
    nodeOf('Gather', [shape, constant([0])], [batch], { axis: 0 }),
    nodeOf('Concat', [batch, constant(to.slice(1).map(Number))], [sizes], { axis: 0 }),
    { ...node, inputs: [x, roi, '', sizes] },
  ];
}

/** The node with scales that give the same sizes in any precision. */
function byLargerScales(
  node: Node,
  scaled: Scaled,
  opset: number,
  { fresh, initializers }: Workshop,
): Node {
  const scales = scaled.scales.map((scale, axis) =>
    isUnsettled(scaled, axis) ? nextFloat(scale) : scale,
  );
  const index = node.opType === 'Resize' && opset >= 11 ? 2 : 1;
  const name = fresh(`${node.outputs[0]}/scales`);
  initializers.set(name, initializerOf(name, 'float32', [scales.length], scales));
  return { ...node, inputs: node.inputs.map((input, i) => (i === index ? name : input)) };
}

/** The next larger float32 of a positive one. */
function nextFloat(value: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  return new Float32Array(Int32Array.of((bits[0] ?? 0) + 1).buffer)[0] ?? value;
}
