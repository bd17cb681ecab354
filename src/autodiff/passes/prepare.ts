import { type OnnxModel, type Shape, withGraph } from '../../onnx/index.ts';
import { foldShapes } from './fold-shapes.ts';
import { raiseOpset } from './raise-opset.ts';
import type { Rewrite } from './rewrite.ts';
import { needsRewriting } from './triggers.ts';

/** What the passes before differentiation are told. */
export interface PrepareOptions {
  /** Tensors that must stay, beside the outputs: those to be differentiated by or looked at. */
  readonly keep?: readonly string[];
  /** Shapes of graph inputs that replace the declared ones. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
}

/** `prepareModel`, with the passes that the model needs. */
export type Prepare = (model: OnnxModel, options?: PrepareOptions) => OnnxModel;

/** Prepares models with `rewrite`, or without it those that do not need it. */
export function preparing(rewrite: Rewrite | null): Prepare {
  return (model, { keep = [], inputShapes = {} } = {}) => {
    const kept = new Set(keep);
    const whole = rewrite ? rewrite.expand(model, inputShapes) : model.graph;
    const folded = foldShapes(whole, kept, inputShapes);
    const graph = raiseOpset(rewrite ? rewrite.rebuild(folded, kept) : folded);
    return withGraph({ ...model, functions: [] }, graph);
  };
}

/** `prepareModel` for this model and others with the same operators; loads no needless passes. */
export async function loadPrepare(model: OnnxModel): Promise<Prepare> {
  return preparing(needsRewriting(model) ? (await import('./rewrite.ts')).rewrite : null);
}
