import { type OnnxModel, type Shape, withGraph } from '../../onnx/index.ts';
import { foldShapes } from './fold-shapes.ts';
import { raiseOpset } from './raise-opset.ts';
import type { Rewrite } from './rewrite.ts';
import { needsRewriting } from './triggers.ts';

/** Options of the passes that run before differentiation. */
export interface PrepareOptions {
  /**
   * Tensors that must stay in the graph, besides its outputs: the tensors to differentiate, to
   * differentiate by, or to return. By default none.
   */
  readonly keep?: readonly string[];
  /** Shapes of graph inputs that replace the declared shapes. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
}

/** A function like `prepareModel` that has the passes that a model needs. */
export type Prepare = (model: OnnxModel, options?: PrepareOptions) => OnnxModel;

/**
 * Returns a function that prepares models with `rewrite`. Null is enough for models that need no
 * rewriting.
 */
export function preparing(rewrite: Rewrite | null): Prepare {
  return (model, { keep = [], inputShapes = {} } = {}) => {
    const kept = new Set(keep);
    const whole = rewrite ? rewrite.expand(model, inputShapes) : model.graph;
    const folded = foldShapes(whole, kept, inputShapes);
    const graph = raiseOpset(rewrite ? rewrite.rebuild(folded, kept) : folded);
    return withGraph({ ...model, functions: [] }, graph);
  };
}

/**
 * Returns `prepareModel` for this model and for others with the same operators. It loads only the
 * passes that they need.
 */
export async function loadPrepare(model: OnnxModel): Promise<Prepare> {
  return preparing(needsRewriting(model) ? (await import('./rewrite.ts')).rewrite : null);
}
