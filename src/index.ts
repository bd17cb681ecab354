/**
 * Fovea's front door, for Node and browsers alike. `fovea/node` and `fovea/web` add loading models
 * and pictures.
 *
 * ```ts
 * import { explain, loadModel, readImage } from 'fovea/node';
 * const model = await loadModel('demo-cnn');
 * const explanation = await explain(model, await readImage('photo.jpg'), { method: 'rise' });
 * ```
 */
export { FoveaError, type FoveaErrorCode } from './errors.ts';
export {
  type ExplainInput,
  type ExplainOptions,
  explain,
  explainAll,
  type PreparedInput,
  prepareInput,
} from './explain.ts';
export type { Explanation, Manifest } from './explanation.ts';
export { type Image, image } from './image/image.ts';
export { type ResizeFilter, resizeImage } from './image/resize.ts';
export type { Json } from './json.ts';
export {
  type Attribution,
  defineMethod,
  findMethod,
  type Method,
  type MethodContext,
  methods,
  type Need,
  type PartialMap,
} from './methods/index.ts';
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
  PerturbRequest,
  RunOptions,
  ScoreKind,
} from './model/model.ts';
export { createOnnxModel, type OnnxModelSource } from './model/onnx-model.ts';
export type { Grids, Masks, Perturbation, Ranks, Segments, Windows } from './model/perturbation.ts';
export { createRemoteModel, type RemoteModelOptions } from './model/remote-model.ts';
export { resolveTargets, type Target, type TargetSpec } from './model/target.ts';
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
export { decodeNpy, encodeNpy } from './tensor/npy.ts';
export { createRandom, type Random } from './tensor/random.ts';
export { extent } from './tensor/statistics.ts';
export {
  argmax,
  argsortDescending,
  reshape,
  softmax,
  type Tensor,
  tensor,
} from './tensor/tensor.ts';
export { VERSION } from './version.ts';
