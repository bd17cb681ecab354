/** Gradients of ONNX models as ONNX models: reverse-mode differentiation by rewriting graphs. */
export { type GradientGraph, type GradientOptions, gradientGraph } from './gradient-graph.ts';
export { type GradientModel, gradientModel } from './gradient-model.ts';
export type { RuleLookup } from './mark-path.ts';
export type { Ops } from './ops.ts';
export {
  batchNormalizationConstants,
  foldBatchNormalization,
} from './passes/fold-batch-normalization.ts';
export { type PrepareOptions, prepareGraph } from './passes/index.ts';
export { deepLiftRules, type ReferencedGraph, withReference } from './relevance/deep-lift.ts';
export { type LrpOptions, type LrpRule, lrpRules } from './relevance/lrp.ts';
export { transformerAttributionRules } from './relevance/transformer-attribution.ts';
export {
  forEach,
  type GradientRule,
  operatorKey,
  type RuleContext,
  type RuleEntry,
  type RuleTable,
  refused,
  rule,
  zero,
} from './rule.ts';
export { gradientRules } from './rules/index.ts';
