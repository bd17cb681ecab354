/**
 * Gradients of ONNX models as ONNX models. This is reverse-mode differentiation by graph rewriting.
 */
export { each, operatorKey } from '../onnx/index.ts';
export {
  type BackwardRules,
  type BackwardTask,
  isBackwardRules,
  keyOfRules,
  plain,
  type ReadyGraph,
  type RuleSet,
} from './backward-rules.ts';
export { gradientGraph, gradientModel, prepareModel } from './complete.ts';
export type { GradientGraph, GradientOptions } from './gradient-graph.ts';
export {
  type GradientModel,
  type GradientModelOptions,
  loadGradientModel,
} from './gradient-model.ts';
export type { RuleLookup } from './mark-path.ts';
export type { Ops } from './ops.ts';
export { batchNormalizationConstants } from './passes/fold-batch-normalization.ts';
export { loadPrepare, type Prepare, type PrepareOptions } from './passes/prepare.ts';
export { raiseOldOpset } from './passes/raise-old-opset.ts';
export type { LrpOptions, LrpRule } from './relevance/lrp.ts';
export { deepLift, lrp, transformerAttribution } from './relevance-rules.ts';
export { deconvnet, guidedBackprop } from './relu-rules.ts';
export {
  type GradientRule,
  type OutputGradients,
  type RuleContext,
  type RuleEntry,
  type RuleTable,
  refused,
  rule,
  zero,
} from './rule.ts';
export { defineRules, type NamedRules, ruleSets } from './rule-sets.ts';
export { gradientRules } from './rules/index.ts';
