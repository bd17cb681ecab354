/**
 * ONNX files as data: read, edit, build, cut, compose and write models, and infer the shapes of
 * their tensors.
 */
export * from './attributes.ts';
export * from './compose.ts';
export {
  constantAt,
  constantOf,
  SAME_ELEMENTS,
  SAME_VALUES,
  sourceOf,
} from './constants.ts';
export * from './data-types.ts';
export { withDynamicBatch } from './dynamic-batch.ts';
export * from './external-data.ts';
export * from './graph.ts';
export * from './graph-builder.ts';
export * from './initializer.ts';
export { type FunctionBody, readFunction, referencedAttribute } from './local-function.ts';
export {
  type LocalFunction,
  modelChunks,
  modelOf,
  type OnnxModel,
  readModel,
  withGraph,
  writeModel,
} from './model-proto.ts';
export { nearestNames } from './near-names.ts';
export { peakActivationBytes } from './peak-memory.ts';
export { renameNode, renameTensors } from './rename.ts';
export { broadcastShapes, isStatic } from './shape-inference/dim.ts';
export {
  type InferenceOptions,
  inferNode,
  inferredOperators,
  inferShapes,
  inferTensors,
} from './shape-inference/index.ts';
export type { TensorInfo } from './shape-inference/rule.ts';
export { readWindow, type WindowAttributes } from './shape-inference/window.ts';
export { type Cut, subgraph } from './subgraph.ts';
