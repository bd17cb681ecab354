/**
 * The exports that `fovea`, `fovea/node` and `fovea/web` share. This module registers no methods,
 * so that a page contains only the methods that it imports.
 */
export { FoveaError, type FoveaErrorCode } from './errors.ts';
export {
  type ExplainOptions,
  explain,
  explainAll,
  type MethodRun,
  type RunMethodOptions,
  runMethod,
} from './explain.ts';
export type { Explanation, Manifest } from './explanation.ts';
export type { Image } from './image/image.ts';
export type { Json } from './json.ts';
export {
  type Attribution,
  defineMethod,
  type LayerMap,
  type Method,
  type MethodContext,
  type MethodMap,
  type MethodName,
  type MethodOptions,
  methods,
  type Need,
  type PartialMap,
} from './methods/method.ts';
export { EMBEDDED_MODELS, type EmbeddedModel } from './model/files/model-files.ts';
export { createFunctionModel, type FunctionModelOptions } from './model/function-model.ts';
export {
  denormalize,
  fitImage,
  IMAGENET_PREPROCESSING,
  inputRegion,
  type Preprocessing,
  preprocess,
  type Region,
} from './model/input/preprocessing.ts';
export type {
  ClassifyOptions,
  FeatureMap,
  Model,
  ModelCalls,
  ModelInside,
  PerturbRequest,
  RunOptions,
  ScoreKind,
} from './model/model.ts';
export { createOnnxModel, type OnnxModelSource } from './model/onnx-model.ts';
export type { Grids, Masks, Perturbation, Ranks, Segments, Windows } from './model/perturbation.ts';
export { createRemoteModel, type RemoteModelOptions } from './model/remote-model.ts';
export {
  type AgainstSpec,
  type ContrastSpec,
  parseTarget,
  resolveTargets,
  type ScoredClass,
  type Target,
  type TargetSpec,
} from './model/target.ts';
export { describeOptions, type OptionDescription } from './option-words.ts';
export {
  type AnyOptions,
  type HasOptions,
  type OptionsSchema,
  option,
  parseOptions,
} from './options.ts';
export { type ExplainInput, type PreparedInput, prepareInput } from './prepare-input.ts';
export { createRegistry, type Registry } from './registry.ts';
export {
  createOnnxRuntime,
  type OnnxRuntime,
  type OnnxRuntimeOptions,
} from './runtime/onnxruntime.ts';
export {
  DEVICES,
  type Device,
  type Runtime,
  type RuntimeTensor,
  type Session,
} from './runtime/runtime.ts';
export type { Random } from './tensor/random.ts';
export { type Tensor, tensor } from './tensor/tensor.ts';
export { VERSION } from './version.ts';
