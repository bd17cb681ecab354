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

/** A Slice that takes the elements from `start` to `end` of one axis. */
interface Part {
  readonly node: Node;
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/**
 * The graph with the Slices that take a tensor apart along an axis, as exporters write `chunk`,
 * written as the one Split that they are: its gradient is one Concat, not a sum of padded pieces.
 */
export function rebuildSplit(graph: Graph): Graph {
  const opset = graph.opset.get('') ?? 1;
  // Before opset 10 the ranges of a Slice are attributes: no exporter of that time wrote `chunk` as
  // Slices.
  if (opset < 10) return graph;
  const known = inferTensors(graph);
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map(graph.initializers);
  const replaced = new Map<Node, Node | null>();
  for (const [tensor, readers] of consumersOf(graph)) {
    const parts = wholeOf(
      readers.flatMap((node) => partOf(node, tensor, known) ?? []),
      known.get(tensor),
    );
    if (parts === undefined) continue;
    const sizes = parts.map(({ start, end }) => end - start);
    const outputs = parts.map(({ node }) => node.outputs[0]);
    const split = splitNode(
      tensor,
      sizes,
      outputs,
      parts[0].axis,
      opset >= 13 ? fresh(`${tensor}_sizes`) : undefined,
      initializers,
    );
    // Where the first of them stands, its reader cannot stand before.
    const [first, ...others] = graph.nodes.filter((node) =>
      parts.some((part) => part.node === node),
    );
    replaced.set(first, split);
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
  return { node, axis, start: within(start), end: within(end) };
}

/** The parts in order, if they are at least two that make up the whole of an axis. */
function wholeOf(
  parts: readonly Part[],
  info: TensorInfo | undefined,
): readonly Part[] | undefined {
  if (parts.length < 2 || parts.some(({ axis }) => axis !== parts[0].axis)) return undefined;
  const ordered = parts.toSorted((a, b) => a.start - b.start);
  const follows = ordered.every(
    ({ start, end }, i) => end > start && start === (i === 0 ? 0 : ordered[i - 1].end),
  );
  return follows && ordered[ordered.length - 1].end === info?.shape?.[parts[0].axis]
    ? ordered
    : undefined;
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
