import type { Graph, OnnxModel } from '../onnx/index.ts';
import { differentiate, type GradientGraph, type GradientOptions } from './gradient-graph.ts';
import { type GradientModel, type GradientModelOptions, readyModel } from './gradient-model.ts';
import { type PrepareOptions, preparing } from './passes/prepare.ts';
import { rewrite } from './passes/rewrite.ts';
import { gradientRules } from './rules/index.ts';

const prepare = preparing(rewrite);

/**
 * The model in the form that differentiates best: local functions written out, fused operators
 * taken apart, arithmetic on shapes folded, Split, normalizations, Softmax, Gelu and Clip rebuilt
 * from the pieces that exporters write. Operator sets 7 and 8 become 9, and 13 to 15 become 16. It
 * computes the same.
 * @throws FoveaError `model` if nodes of the file contradict each other, `unsupported` for local
 * functions in another operator set.
 */
export function prepareModel(model: OnnxModel, options: PrepareOptions = {}): OnnxModel {
  return prepare(model, options);
}

/**
 * The model that computes gradients of a model, whatever exporter wrote it, or what `rules` put in
 * their place.
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export function gradientModel(model: OnnxModel, options: GradientModelOptions): GradientModel {
  return readyModel(model, options, options.isPrepared ? null : prepare).differentiate(
    gradientRules,
  );
}

/**
 * Forward and backward pass in one ordinary ONNX graph: reverse-mode differentiation by emitting
 * nodes. Weights are referred to, never copied. Half-precision gradients are computed in float32.
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export function gradientGraph(graph: Graph, options: GradientOptions): GradientGraph {
  return differentiate(graph, options, gradientRules);
}
