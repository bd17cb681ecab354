import { FoveaError } from '../../errors.ts';
import type { Graph, OnnxModel, Shape } from '../../onnx/index.ts';
import { decomposeFused } from './decompose-fused.ts';
import { foldPoolPadding } from './fold-linear.ts';
import { foldShapes } from './fold-shapes.ts';
import { inlineFunctions } from './inline-functions.ts';
import { raiseOldOpset } from './raise-opset.ts';
import { rebuildClip } from './rebuild-clip.ts';
import { rebuildGelu } from './rebuild-gelu.ts';
import { rebuildLayerNormalization } from './rebuild-layer-normalization.ts';
import { rebuildSoftmax } from './rebuild-softmax.ts';
import { rebuildSplit } from './rebuild-split.ts';
import { settleResize } from './settle-resize.ts';

/** What the passes before differentiation are told. */
export interface PrepareOptions {
  /** Tensors that must stay, beside the outputs: those to be differentiated by or looked at. */
  readonly keep?: readonly string[];
  /** Shapes of graph inputs that replace the declared ones. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
}

/** The passes assume well-formed nodes; where a file has others, the error says so. */
function guarded(run: () => Graph): Graph {
  try {
    return run();
  } catch (error) {
    if (error instanceof FoveaError && error.code !== 'internal') throw error;
    throw new FoveaError(
      'model',
      'the graph cannot be prepared for differentiation: inputs, attributes and declared ' +
        'sizes of some of its nodes do not fit each other',
      { cause: error },
    );
  }
}

/**
 * The graph of a model in the form that differentiates best: local functions written out, fused
 * operators taken apart, opsets 7 and 8 raised to 9, arithmetic on shapes folded, Split,
 * normalizations, Softmax, Gelu and Clip rebuilt from the pieces that exporters write. It computes
 * the same.
 * @throws FoveaError `model` if nodes of the file contradict each other, `unsupported` for local
 * functions in another operator set.
 */
export function prepareGraph(
  model: OnnxModel,
  { keep = [], inputShapes = {} }: PrepareOptions = {},
): Graph {
  return guarded(() => {
    const kept = new Set(keep);
    const whole = decomposeFused(raiseOldOpset(inlineFunctions(model)), inputShapes);
    const folded = foldShapes(whole, kept, inputShapes);
    const normalized = rebuildLayerNormalization(rebuildSplit(settleResize(folded)), kept);
    return foldPoolPadding(
      rebuildClip(rebuildGelu(rebuildSoftmax(normalized, kept), kept), kept),
      kept,
    );
  });
}
