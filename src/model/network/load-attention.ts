import { nestedGraphs, type OnnxModel } from '../../onnx/index.ts';
import type { attentionFinder } from './attention-maps.ts';

/** Finds the attention of a classifier. */
export type FindAttention = typeof attentionFinder;

const none: FindAttention = () => ({ maps: () => [], isMerged: () => false });

/** Operators that compute attention, or a softmax that can be part of attention. */
const ATTENDS = /Softmax|Exp|Attention/;

/** Loads the code that finds attention, unless no operator of the network can compute any. */
export async function loadAttention({ graph, functions }: OnnxModel): Promise<FindAttention> {
  const mayAttend =
    functions.length > 0 ||
    graph.nodes.some((node) => ATTENDS.test(node.opType) || nestedGraphs(node).length > 0);
  if (!mayAttend) return none;
  return (await import('./attention-maps.ts')).attentionFinder;
}
