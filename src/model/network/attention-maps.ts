import { type Graph, inferShapes, type Node, producersOf, SAME_VALUES } from '../../onnx/index.ts';
import type { Classifier, ClassifierInput } from '../classifier/find-io.ts';
import type { AttentionMap } from '../model.ts';
import { liveTokens } from './feature-maps.ts';
import { inputShape, type Preparation } from './prepared.ts';

/** An attention map, and the form of its tensor in the network. */
interface FoundAttention extends AttentionMap {
  /** Whether batch and heads (or windows) are joined in the first axis of the tensor. */
  readonly merged: boolean;
}

/**
 * The product in which a tensor is the left factor, as attention weights are; undefined if none.
 */
function weighedValues(graph: Graph, name: string): string | undefined {
  for (const node of graph.nodes) {
    if (node.inputs[0] !== name) continue;
    const [output = ''] = node.outputs;
    if (node.opType === 'MatMul' || node.opType === 'Einsum') return output;
    const further = SAME_VALUES.has(node.opType) ? weighedValues(graph, output) : undefined;
    if (further !== undefined) return further;
  }
  return undefined;
}

/** The attention map of a softmax, if it is attention; `shape` is that for one picture. */
function attentionOf(
  graph: Graph,
  { outputs: [name = ''] }: Node,
  shape: readonly unknown[] | null | undefined,
  live: ReturnType<typeof liveTokens>,
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
  const [queries = 1, keys = 1] = sizes.slice(-2);
  const lead = sizes.slice(0, -2);
  // [n · heads, q, k], [n, heads, q, k], [n · windows, heads, q, k] or [n, windows, heads, q, k]
  const merged = lead[0] !== 1 || lead.length === 1;
  const [windows = 1, heads = 1] = [1, 1, ...(merged ? lead : lead.slice(1))].slice(-2);
  return { name, heads, windows, queries, keys, readBy: live(product), merged };
}

/**
 * The attention maps of a graph in the order of its blocks: every softmax [.., queries, keys] that
 * is multiplied by values. Their sizes come from the shapes for one picture.
 */
function findAttentionMaps(graph: Graph, input: ClassifierInput): FoundAttention[] {
  const types = inferShapes(graph, { inputs: { [input.name]: inputShape(input, 1) } });
  const live = liveTokens(graph, types, input.name);
  const softmaxes = graph.nodes.filter((node) => node.opType === 'Softmax');
  return softmaxes.flatMap(
    (node) => attentionOf(graph, node, types.get(node.outputs[0] ?? '')?.shape, live) ?? [],
  );
}

/** Finds the attention of a classifier at the first call. */
export interface AttentionFinder {
  maps(): readonly FoundAttention[];
  /** Whether a tensor is attention in whose first axis batch and heads (or windows) are joined. */
  isMerged(tensor: string): boolean;
}

/**
 * Makes a finder for the prepared model. In this model fused operators are split, so that their
 * softmax is a tensor.
 */
export function attentionFinder(
  { model, input }: Classifier,
  prepared: Preparation,
): AttentionFinder {
  const producers = producersOf(model.graph);
  let found: readonly FoundAttention[] | undefined;
  const maps = (): readonly FoundAttention[] => {
    found ??= findAttentionMaps(prepared().model.graph, input);
    return found;
  };
  return {
    maps,
    isMerged(tensor) {
      const maker = producers.get(tensor);
      if (maker && maker.opType !== 'Softmax') return false; // most tensors need no search
      return maps().some(({ name, merged }) => merged && name === tensor);
    },
  };
}
