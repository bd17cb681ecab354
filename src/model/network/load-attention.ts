import { nestedGraphs, type OnnxModel } from '../../onnx/index.ts';
import type { attentionFinder } from './attention-maps.ts';

/** Finds the attention of a classifier. */
export type FindAttention = typeof attentionFinder;

const none: FindAttention = () => ({ maps: () => [], isMerged: () => false });

/** Operators that compute attention, or a softmax of which attention is made. */
const ATTENDS = /Softmax|Exp|Attention/;

/** What finds attention. Nothing is loaded for a network whose operators cannot compute any. */
export async function loadAttention({ graph, functions }: OnnxModel): Promise<FindAttention> {
  const mayAttend =
    functions.length > 0 ||
    graph.nodes.some((node) => ATTENDS.test(node.opType) || nestedGraphs(node).length > 0);
  if (!mayAttend) return none;
  return (await import('./attention-maps.ts')).attentionFinder;
}
