/**
 * Fovea for browsers: everything of `fovea`, and loading models and pictures from addresses and
 * page elements.
 */
export * from './index.ts';
export { createWebRuntime, type WebRuntimeOptions } from './runtime/onnxruntime-web.ts';
export { type LoadModelOptions, loadModel } from './web/load-model.ts';
export { type ImageInput, type ReadImageOptions, readImage } from './web/read-image.ts';
