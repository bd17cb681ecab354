import {
  freshNames,
  type Graph,
  type Initializer,
  inferTensors,
  initializerOf,
  type Node,
  namesOf,
} from '../../onnx/index.ts';
import { type GraphView, nodeOf, viewOf } from './pattern.ts';
import { prune } from './prune.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

/** x limited to [low, high]. A missing limit means no limit on that side. */
interface Cut {
  readonly x: string;
  readonly low?: number;
  readonly high?: number;
}

/**
 * Replaces max(x, 0) by Relu, and min(max(x, a), b) by Clip. Min and Max can be in either order,
 * and one of them is enough. Rules for ReLUs apply to Relu and Clip. Tensors in `keep` stay.
 */
export function rebuildClip(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!hasAny(graph, TRIGGERS.clip)) return graph;
  const view = viewOf(graph, keep);
  const known = inferTensors(graph);
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map(graph.initializers);
  const opset = graph.opset.get('') ?? 1;
  const nodes = graph.nodes.map((node) => {
    const cut = cutOf(node, graph, view);
    const [output = ''] = node.outputs;
    if (cut === undefined || known.get(cut.x)?.type !== 'float32') return node;
    // If the constant has more axes than x, the result has them too.
    if (known.get(cut.x)?.shape?.length !== known.get(output)?.shape?.length) return node;
    if (cut.low === 0 && cut.high === undefined) return nodeOf('Relu', [cut.x], [output]);
    return clipNode(cut, output, opset, (value) => scalar(value, fresh, initializers));
  });
  return prune({ ...graph, nodes, initializers });
}

function scalar(
  value: number,
  fresh: (wish: string) => string,
  initializers: Map<string, Initializer>,
): string {
  const name = fresh('clip/bound');
  initializers.set(name, initializerOf(name, 'float32', [], value));
  return name;
}

function clipNode(
  { x, low, high }: Cut,
  output: string,
  opset: number,
  constant: (value: number) => string,
): Node {
  const given = (value: number | undefined): string => (value === undefined ? '' : constant(value));
  if (opset >= 11) {
    const inputs = [x, given(low), ...(high === undefined ? [] : [given(high)])];
    return nodeOf('Clip', inputs, [output]);
  }
  const bounds = Object.entries({ min: low, max: high }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, { type: 'float', value }] as const],
  );
  return nodeOf('Clip', [x], [output], Object.fromEntries(bounds));
}

/** The cut that a Max or Min node computes, together with the Max, Min or Relu before it. */
function cutOf(node: Node, graph: Graph, view: GraphView): Cut | undefined {
  const outer = ownCut(node, graph, view);
  if (outer === undefined) return undefined;
  const before = view.onlyReader(outer.x, 'Max Min') && view.producer(outer.x, 'Max Min Relu');
  const inner =
    before && (before.opType === 'Relu' ? reluCut(before) : ownCut(before, graph, view));
  if (inner === undefined) return outer;
  const bounds = { ...inner, ...outer, x: inner.x };
  const { low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY } = bounds;
  // If both cuts limit the same side, or the limits cross, only the outer cut is used.
  const clash =
    (outer.low !== undefined && inner.low !== undefined) ||
    (outer.high !== undefined && inner.high !== undefined);
  return clash || low > high ? outer : bounds;
}

const reluCut = (node: Node): Cut => ({ x: node.inputs[0] ?? '', low: 0 });

function ownCut(node: Node, graph: Graph, view: GraphView): Cut | undefined {
  if (!(node.domain === '' && (node.opType === 'Max' || node.opType === 'Min'))) return undefined;
  if (node.inputs.length !== 2) return undefined;
  const index = node.inputs.findIndex((name) => view.number(name) !== undefined);
  const bound = view.number(node.inputs[index] ?? '');
  const x = node.inputs[1 - index];
  if (index < 0 || bound === undefined || x === undefined || graph.initializers.has(x))
    return undefined;
  return node.opType === 'Max' ? { x, low: bound } : { x, high: bound };
}
