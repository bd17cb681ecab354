/**
 * Fovea for browsers: functions that explain, and that load models and pictures from addresses and
 * page elements. Import each method that a page uses, as in
 * `import { gradCam } from 'fovea/methods/grad-cam'`, or `import 'fovea/methods'` to use all of
 * them by name.
 */
export * from './core.ts';
export { createWebRuntime, type WebRuntimeOptions } from './runtime/onnxruntime-web.ts';
export { drawOverlay } from './web/draw-overlay.ts';
export { explain, explainAll, prepareInput } from './web/explain.ts';
export { type LoadModelOptions, loadModel, type ModelInput } from './web/load-model.ts';
export { type ImageInput, type ReadImageOptions, readImage } from './web/read-image.ts';
