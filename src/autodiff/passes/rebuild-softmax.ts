import {
  constantOf,
  type Graph,
  inferTensors,
  intAttribute,
  intsAttribute,
  type Node,
} from '../../onnx/index.ts';
import { type GraphView, nodeOf, otherInput, viewOf } from './pattern.ts';
import { prune } from './prune.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

/**
 * The axis that a node reduces, counted from 0. Undefined if the node reduces several axes or does
 * not keep them with size 1.
 */
function axisOf(node: Node | undefined, graph: Graph, rank: number): number | undefined {
  if (!node || intAttribute(node, 'keepdims', 1) !== 1) return undefined;
  const axes = intsAttribute(node, 'axes') ?? constantOf(graph, node.inputs[1] ?? '') ?? [];
  const [axis = 0, ...others] = axes;
  if (axes.length === 0 || others.length > 0) return undefined;
  return axis < 0 ? axis + rank : axis;
}

/** The tensor x if the node computes exp(x) or exp(x - max x), with the maximum over `axis`. */
function argument(exp: Node, axis: number, rank: number, graph: Graph, view: GraphView): string {
  const [input = ''] = exp.inputs;
  const [x = '', most = ''] = view.producer(input, 'Sub')?.inputs ?? [];
  const max = view.producer(most, 'ReduceMax');
  const isShifted = max?.inputs[0] === x && axisOf(max, graph, rank) === axis;
  return isShifted ? x : input;
}

/** The tensor s if the node computes e / s or e · (1 / s); undefined otherwise. */
function divisor(node: Node, e: string, view: GraphView): string | undefined {
  if (node.opType === 'Div') return node.inputs[0] === e ? node.inputs[1] : undefined;
  if (node.opType !== 'Mul' || !node.inputs.includes(e)) return undefined;
  const factor = otherInput(node, e);
  const reciprocal = view.producer(factor, 'Reciprocal');
  if (reciprocal) return reciprocal.inputs[0];
  const [one = '', sum] = view.producer(factor, 'Div')?.inputs ?? [];
  return view.number(one) === 1 ? sum : undefined;
}

/**
 * Nodes that compute a Softmax over one axis. Before opset 13, Softmax also covers all later axes.
 * So the axis is moved to the end, and back afterwards.
 */
function softmax(x: string, last: Node, axis: number, rank: number, opset: number): Node[] {
  if (opset >= 13 || axis === rank - 1) return [nodeOf('Softmax', [x], last.outputs, { axis })];
  const perm = Array.from({ length: rank }, (_, i) => i);
  [perm[axis], perm[rank - 1]] = [rank - 1, axis];
  const [moved, scaled] = ['moved', 'softmax'].map((part) => `${last.outputs[0]}/${part}`);
  return [
    nodeOf('Transpose', [x], [moved ?? ''], { perm }),
    nodeOf('Softmax', [moved ?? ''], [scaled ?? ''], { axis: rank - 1 }),
    nodeOf('Transpose', [scaled ?? ''], last.outputs, { perm }),
  ];
}

/**
 * Replaces the nodes of exp(x) / Σ exp(x) over one axis by one Softmax, because there are relevance
 * rules for Softmax. The nodes may subtract the maximum of x first. Tensors in `keep` stay.
 */
export function rebuildSoftmax(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!hasAny(graph, TRIGGERS.softmax)) return graph;
  const view = viewOf(graph, keep);
  const known = inferTensors(graph);
  const opset = graph.opset.get('') ?? 1;
  const replaced = new Map<Node, Node[]>();
  for (const last of graph.nodes) {
    for (const e of last.inputs) {
      const exp = view.producer(e, 'Exp');
      const rank = known.get(e)?.shape?.length;
      const sum = exp && view.producer(divisor(last, e, view) ?? '', 'ReduceSum');
      if (!exp || rank === undefined || sum?.inputs[0] !== e) continue;
      const axis = axisOf(sum, graph, rank);
      if (axis === undefined) continue;
      const x = argument(exp, axis, rank, graph, view);
      replaced.set(last, softmax(x, last, axis, rank, opset));
    }
  }
  if (replaced.size === 0) return graph;
  return prune({ ...graph, nodes: graph.nodes.flatMap((node) => replaced.get(node) ?? [node]) });
}
