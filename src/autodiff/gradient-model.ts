import { type OnnxModel, withGraph } from '../onnx/index.ts';
import { type GradientGraph, type GradientOptions, gradientGraph } from './gradient-graph.ts';
import { prepareGraph } from './passes/index.ts';
import { raiseOpset } from './passes/raise-opset.ts';

/** A model with a forward and a backward pass. */
export interface GradientModel extends Omit<GradientGraph, 'graph'> {
  /**
   * Its inputs are those of the model, then the cotangent; its outputs `outputs`, then the
   * gradients.
   */
  readonly model: OnnxModel;
}

/**
 * The model that computes gradients of a model, any export of it: local functions, fused operators
 * and the pieces that exporters write are put into a form with gradient rules first.
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export function gradientModel(model: OnnxModel, options: GradientOptions): GradientModel {
  const keep = [options.of, ...options.wrt, ...(options.outputs ?? [])];
  const prepared = raiseOpset(prepareGraph(model, { keep, inputShapes: options.inputShapes }));
  const { graph, cotangent, gradients } = gradientGraph(prepared, options);
  return { model: withGraph({ ...model, functions: [] }, graph), cotangent, gradients };
}
