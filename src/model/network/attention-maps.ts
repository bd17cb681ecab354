import { prepareGraph } from '../../autodiff/index.ts';
import { type Graph, inferShapes, type Node, type OnnxModel } from '../../onnx/index.ts';
import type { ClassifierInput } from '../classifier/find-io.ts';
import type { AttentionMap } from '../model.ts';
import { tokensHeard } from './feature-maps.ts';

/** An attention map, and how the network itself holds it. */
export interface FoundAttention extends AttentionMap {
  /** Whether the first axis of the tensor is that of the batch and the next one in one. */
  readonly merged: boolean;
}

/** Operators that pass attention on as it is. */
const CARRIERS = new Set(['Identity', 'Dropout', 'Cast']);

/**
 * The graph in which attention is looked for: fused operators are taken apart, so that their
 * softmax is a tensor.
 */
export function attentionGraph(model: OnnxModel): Graph {
  return prepareGraph(model);
}

/** The product in which a tensor weighs values, if it is its left factor. */
function weighedValues(graph: Graph, name: string): string | undefined {
  for (const node of graph.nodes) {
    if (node.inputs[0] !== name) continue;
    if (node.opType === 'MatMul' || node.opType === 'Einsum') return node.outputs[0];
    const further = CARRIERS.has(node.opType) ? weighedValues(graph, node.outputs[0]) : undefined;
    if (further !== undefined) return further;
  }
  return undefined;
}

/** The attention that a softmax gives, if it is one; `shape` is that for one picture. */
function attentionOf(
  graph: Graph,
  { outputs: [name] }: Node,
  shape: readonly unknown[] | null | undefined,
  heard: ReturnType<typeof tokensHeard>,
): FoundAttention | undefined {
  const sizes = shape?.filter((dim) => typeof dim === 'number');
  const product = weighedValues(graph, name);
  if (
    !sizes ||
    sizes.length !== shape?.length ||
    sizes.length < 3 ||
    sizes.length > 5 ||
    product === undefined
  )
    return undefined;
  const [queries, keys] = sizes.slice(-2);
  const lead = sizes.slice(0, -2);
  // [n · heads, q, k], [n, heads, q, k], [n · windows, heads, q, k] or [n, windows, heads, q, k]
  const merged = lead[0] !== 1 || lead.length === 1;
  const [windows, heads] = [1, 1, ...(merged ? lead : lead.slice(1))].slice(-2);
  return { name, heads, windows, queries, keys, readBy: heard(product), merged };
}

/**
 * The attention maps of a graph in the order of its blocks: every softmax [.., queries, keys] that
 * is multiplied with values. Sizes are read off the shapes that one picture gives.
 */
export function findAttentionMaps(
  graph: Graph,
  { name, layout, channels, height, width }: ClassifierInput,
): FoundAttention[] {
  const shape = layout === 'NCHW' ? [1, channels, height, width] : [1, height, width, channels];
  const types = inferShapes(graph, { inputs: { [name]: shape } });
  const heard = tokensHeard(graph, types, name);
  const softmaxes = graph.nodes.filter((node) => node.opType === 'Softmax');
  return softmaxes.flatMap(
    (node) => attentionOf(graph, node, types.get(node.outputs[0])?.shape, heard) ?? [],
  );
}
