import { type Graph, namesIn, type OnnxModel, operatorKey } from '../../onnx/index.ts';

/**
 * The operators that a pass looks for, by what it makes of them. A graph without them, and without
 * local functions, needs none of these passes.
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

/** Whether a graph has one of the operators in a text of names. */
export function hasAny({ nodes }: Graph, names: string): boolean {
  const wanted = new Set(namesIn(names));
  return nodes.some((node) => wanted.has(operatorKey(node)));
}

/** Whether any of the passes in `rewrite.ts` has work to do. */
export const needsRewriting = ({ functions, graph }: OnnxModel): boolean =>
  functions.length > 0 ||
  (graph.opset.get('') ?? 1) < 9 ||
  hasAny(graph, Object.values(TRIGGERS).join(' '));
