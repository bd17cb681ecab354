/**
 * Fovea for Node: everything of `fovea`, and functions that load models and pictures from disk,
 * from the hub and from servers.
 */
export {
  type ChosenMethod,
  type ChosenMetric,
  type EvaluateOptions,
  type EvaluationResult,
  evaluate,
} from './evaluate/index.ts';
export * from './index.ts';
export {
  type DownloadProgress,
  defaultCacheDir,
  type FetchedModel,
  type FetchModelOptions,
  fetchModelFiles,
} from './node/hub.ts';
export { type LoadModelOptions, loadModel, resolveModel } from './node/load-model.ts';
export {
  type ImageSize,
  type ReadImageOptions,
  readImage,
  readImageSize,
} from './node/read-image.ts';
export { type SagPictureSource, sagSvg, svgToPng } from './node/sag-png.ts';
export { encodePng, losslessWebpSize, type Pixels } from './node/write-image.ts';
export { createNodeRuntime, type NodeRuntimeOptions } from './runtime/onnxruntime-node.ts';
