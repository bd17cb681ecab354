import type { Graph, OnnxModel, Shape } from '../../onnx/index.ts';
import { decomposeFused } from './decompose-fused.ts';
import { foldPoolPadding } from './fold-linear.ts';
import { inlineFunctions } from './inline-functions.ts';
import { raiseOldOpset } from './raise-old-opset.ts';
import { rebuildClip } from './rebuild-clip.ts';
import { rebuildGelu } from './rebuild-gelu.ts';
import { rebuildLayerNormalization } from './rebuild-layer-normalization.ts';
import { rebuildSoftmax } from './rebuild-softmax.ts';
import { rebuildSplit } from './rebuild-split.ts';
import { settleResize } from './settle-resize.ts';

/**
 * The passes that only some graphs need (see `TRIGGERS`). `expand` runs before shapes are folded,
 * and `rebuild` runs after that.
 */
export const rewrite = {
  /** Inlines local functions, raises opsets 7 and 8 to 9, and decomposes fused operators. */
  expand: (model: OnnxModel, inputShapes: Readonly<Record<string, Shape>>): Graph =>
    decomposeFused(raiseOldOpset(inlineFunctions(model)), inputShapes),

  /** Rebuilds the operators that exporters write as several elementary operators. */
  rebuild(graph: Graph, keep: ReadonlySet<string>): Graph {
    const normalized = rebuildLayerNormalization(rebuildSplit(settleResize(graph)), keep);
    const activated = rebuildClip(rebuildGelu(rebuildSoftmax(normalized, keep), keep), keep);
    return foldPoolPadding(activated, keep);
  },
};

/** The type of `rewrite`. */
export type Rewrite = typeof rewrite;
