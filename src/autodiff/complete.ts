import type { Graph, OnnxModel } from '../onnx/index.ts';
import { differentiate, type GradientGraph, type GradientOptions } from './gradient-graph.ts';
import { type GradientModel, type GradientModelOptions, readyModel } from './gradient-model.ts';
import { type PrepareOptions, preparing } from './passes/prepare.ts';
import { rewrite } from './passes/rewrite.ts';
import { gradientRules } from './rules/index.ts';

const prepare = preparing(rewrite);

/**
 * Rewrites a model into the form that is best for differentiation. Local functions are inlined,
 * fused operators are decomposed, and arithmetic on shapes is folded. Split, normalizations,
 * Softmax, Gelu and Clip are rebuilt from the nodes that exporters write for them. Operator sets 7
 * and 8 become 9, and 13 to 15 become 16. The returned model computes the same outputs.
 * @throws FoveaError `model` if nodes of the file contradict each other, `unsupported` if a local
 * function uses another operator set.
 */
export function prepareModel(model: OnnxModel, options: PrepareOptions = {}): OnnxModel {
  return prepare(model, options);
}

/**
 * The model that computes gradients of a model, or the values that `rules` compute in place of
 * gradients. It accepts the files of all exporters, because it prepares the model first (see
 * `prepareModel`).
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` if an operator cannot be differentiated. The message names the operator.
 */
export function gradientModel(model: OnnxModel, options: GradientModelOptions): GradientModel {
  return readyModel(model, options, options.isPrepared ? null : prepare).differentiate(
    gradientRules,
  );
}

/**
 * Builds one ordinary ONNX graph with the forward and the backward pass. This is reverse-mode
 * differentiation that emits nodes. Weights are shared with the given graph, never copied.
 * Gradients of half-precision tensors are computed in float32.
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` if an operator cannot be differentiated. The message names the operator.
 */
export function gradientGraph(graph: Graph, options: GradientOptions): GradientGraph {
  return differentiate(graph, options, gradientRules);
}
