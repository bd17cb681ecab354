import { type Graph, namesIn, type OnnxModel, operatorKey } from '../../onnx/index.ts';

/**
 * The operators that each pass searches for, separated by spaces. A graph without these operators
 * and without local functions needs none of these passes.
 */
export const TRIGGERS = {
  fused: `Attention com.microsoft:Attention com.microsoft:FusedConv com.microsoft:FusedGemm
    com.microsoft:FusedMatMul com.microsoft:MultiHeadAttention
    com.microsoft:SkipLayerNormalization com.microsoft:SkipSimplifiedLayerNormalization
    com.microsoft:TransposeMatMul`,
  sizes: 'Resize Upsample',
  split: 'Slice',
  layerNormalization: 'Sqrt',
  softmax: 'Exp',
  gelu: 'Erf',
  clip: 'Max Min',
  poolPadding: 'Pad',
} as const;

/** Whether a graph has one of the operators in `names` (separated by spaces). */
export function hasAny({ nodes }: Graph, names: string): boolean {
  const wanted = new Set(namesIn(names));
  return nodes.some((node) => wanted.has(operatorKey(node)));
}

/** Whether a model needs any of the passes in `rewrite.ts`. */
export const needsRewriting = ({ functions, graph }: OnnxModel): boolean =>
  functions.length > 0 ||
  (graph.opset.get('') ?? 1) < 9 ||
  hasAny(graph, Object.values(TRIGGERS).join(' '));
