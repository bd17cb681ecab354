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

/** The shapes of the input and the output of a Resize by scales, and the scales of all axes. */
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
 * Changes each Resize by scales whose output size depends on rounding. The kernels and the checks
 * of ONNX Runtime can compute different sizes: for 150 times the float32 0.44, the kernel of Resize
 * computes 66, but the check of the nodes after it computes 65. It then refuses a backward pass
 * with 66. Such a Resize gets sizes in place of its scales. If these sizes would change a scale,
 * the Resize gets the next larger scale instead.
 */
export function settleResize(graph: Graph): Graph {
  if (!hasAny(graph, TRIGGERS.sizes)) return graph;
  const known = inferTensors(graph);
  const workshop = { fresh: freshNames(namesOf(graph)), initializers: new Map(graph.initializers) };
  const nodes = graph.nodes.flatMap((node) => {
    const scaled = scaledBy(node, graph, (name) => known.get(name));
    if (scaled === undefined || !scaled.from.some((_, axis) => isUnsettled(scaled, axis)))
      return [node];
    // Before opset 13, Resize requires scales even if it has sizes.
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

/** Whether the output size of an axis depends on the precision of the product of size and scale. */
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
 * Whether the sizes imply the scales of the node on every axis but the batch. The scale of the
 * batch must be 1.
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

/**
 * The node with sizes in place of scales. The batch size is read from x, and the other sizes are
 * constants.
 */
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

/** The node with scales for which every precision computes the same sizes. */
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

/** The next larger float32 after a positive float32. */
function nextFloat(value: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  return new Float32Array(Int32Array.of((bits[0] ?? 0) + 1).buffer)[0] ?? value;
}
