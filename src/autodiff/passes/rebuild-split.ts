import {
  consumersOf,
  freshNames,
  type Graph,
  type Initializer,
  inferTensors,
  initializerOf,
  type Node,
  namesOf,
  type TensorInfo,
} from '../../onnx/index.ts';
import { nodeOf } from './pattern.ts';
import { prune } from './prune.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

/** A Slice that returns the elements from `start` to `end` (excluded) of one axis. */
interface Part {
  readonly node: Node;
  /** The output of the Slice. */
  readonly output: string;
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Replaces Slices that partition a tensor along an axis by one Split. Exporters write such Slices
 * for PyTorch's `chunk`. The gradient of a Split is one Concat, and the gradient of the Slices
 * would be a sum of padded tensors.
 */
export function rebuildSplit(graph: Graph): Graph {
  const opset = graph.opset.get('') ?? 1;
  // Before opset 10 the ranges of a Slice are attributes. Exporters of that time did not write
  // `chunk` as Slices.
  if (opset < 10 || !hasAny(graph, TRIGGERS.split)) return graph;
  const known = inferTensors(graph);
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map(graph.initializers);
  const replaced = new Map<Node, Node | null>();
  for (const [tensor, readers] of consumersOf(graph)) {
    const whole = wholeOf(
      readers.flatMap((node) => partOf(node, tensor, known) ?? []),
      known.get(tensor),
    );
    if (whole === undefined) continue;
    const { axis, parts } = whole;
    const sizes = parts.map(({ start, end }) => end - start);
    const outputs = parts.map(({ output }) => output);
    const split = splitNode(
      tensor,
      sizes,
      outputs,
      axis,
      opset >= 13 ? fresh(`${tensor}_sizes`) : undefined,
      initializers,
    );
    // The Split replaces the first Slice, so that it comes before all consumers of the parts.
    const [first, ...others] = graph.nodes.filter((node) =>
      parts.some((part) => part.node === node),
    );
    if (first !== undefined) replaced.set(first, split);
    for (const node of others) replaced.set(node, null);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => {
    const by = replaced.get(node);
    return by === undefined ? [node] : by === null ? [] : [by];
  });
  return prune({ ...graph, nodes, initializers });
}

function partOf(
  node: Node,
  tensor: string,
  known: ReadonlyMap<string, TensorInfo>,
): Part | undefined {
  const numbers = (index: number): readonly unknown[] | undefined =>
    known.get(node.inputs[index] ?? '')?.value ?? undefined;
  const [output = ''] = node.outputs;
  const [starts, ends, axes] = [numbers(1), numbers(2), numbers(3)];
  if (
    node.opType !== 'Slice' ||
    node.domain !== '' ||
    node.inputs[0] !== tensor ||
    starts?.length !== 1 ||
    ends?.length !== 1
  )
    return undefined;
  const steps = (node.inputs[4] ?? '') === '' ? [1] : numbers(4);
  const [start, end, given] = [starts[0], ends[0], axes?.[0]];
  const shape = known.get(tensor)?.shape;
  if (
    !shape ||
    axes?.length !== 1 ||
    typeof start !== 'number' ||
    typeof end !== 'number' ||
    typeof given !== 'number' ||
    steps?.[0] !== 1
  )
    return undefined;
  const axis = given < 0 ? given + shape.length : given;
  const size = shape[axis];
  if (typeof size !== 'number') return undefined;
  const within = (index: number): number =>
    Math.min(Math.max(index < 0 ? index + size : index, 0), size);
  return { node, output, axis, start: within(start), end: within(end) };
}

/**
 * The parts in order, if there are at least two and they partition an axis; undefined otherwise.
 */
function wholeOf(
  parts: readonly Part[],
  info: TensorInfo | undefined,
): { readonly axis: number; readonly parts: readonly Part[] } | undefined {
  const [first] = parts;
  if (first === undefined || parts.length < 2) return undefined;
  const { axis } = first;
  if (parts.some((part) => part.axis !== axis)) return undefined;
  const ordered = parts.toSorted((a, b) => a.start - b.start);
  let last = 0;
  for (const { start, end } of ordered) {
    if (end <= start || start !== last) return undefined;
    last = end;
  }
  return last === info?.shape?.[axis] ? { axis, parts: ordered } : undefined;
}

function splitNode(
  tensor: string,
  sizes: readonly number[],
  outputs: readonly string[],
  axis: number,
  input: string | undefined,
  initializers: Map<string, Initializer>,
): Node {
  if (input === undefined) return nodeOf('Split', [tensor], outputs, { axis, split: sizes });
  initializers.set(input, initializerOf(input, 'int64', [sizes.length], sizes));
  return nodeOf('Split', [tensor, input], outputs, { axis });
}
