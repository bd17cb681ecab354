import type { Graph, OnnxModel, Shape } from '../../onnx/index.ts';
import { decomposeFused } from './decompose-fused.ts';
import { foldShapes } from './fold-shapes.ts';
import { inlineFunctions } from './inline-functions.ts';
import { rebuildClip } from './rebuild-clip.ts';
import { rebuildGelu } from './rebuild-gelu.ts';
import { rebuildLayerNormalization } from './rebuild-layer-normalization.ts';
import { rebuildSplit } from './rebuild-split.ts';
import { settleResize } from './settle-resize.ts';

/** What the passes before differentiation are told. */
export interface PrepareOptions {
  /** Tensors that must stay, beside the outputs: those to be differentiated by or looked at. */
  readonly keep?: readonly string[];
  /** Shapes of graph inputs that replace the declared ones. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
}

/**
 * The graph of a model in the form that differentiates best: local functions written out, fused
 * operators taken apart, arithmetic on shapes folded, Split, normalizations, Gelu and Clip rebuilt
 * from the pieces that exporters write. It computes the same.
 */
export function prepareGraph(
  model: OnnxModel,
  { keep = [], inputShapes = {} }: PrepareOptions = {},
): Graph {
  const kept = new Set(keep);
  const whole = decomposeFused(inlineFunctions(model), inputShapes);
  const folded = foldShapes(whole, kept, inputShapes);
  const normalized = rebuildLayerNormalization(rebuildSplit(settleResize(folded)), kept);
  return rebuildClip(rebuildGelu(normalized, kept), kept);
}
