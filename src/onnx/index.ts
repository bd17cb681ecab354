/**
 * ONNX files as data: functions that read, edit, build, cut, compose and write models, and infer
 * the shapes of their tensors.
 */
export {
  floatAttribute,
  floatsAttribute,
  intAttribute,
  intsAttribute,
  stringAttribute,
  tensorAttribute,
} from './attributes.ts';
export { type ComposeOptions, compose } from './compose.ts';
export {
  constantAt,
  constantOf,
  SAME_ELEMENTS,
  SAME_VALUES,
  sourceOf,
} from './constants.ts';
export {
  type DataType,
  dataTypeCode,
  dataTypeName,
  isFloat,
  type NamedDataType,
} from './data-types.ts';
export { withDynamicBatch } from './dynamic-batch.ts';
export { attachExternalData, externalDataFiles } from './external-data.ts';
export {
  type Attribute,
  type AttributeValues,
  consumersOf,
  type Dim,
  dataInputs,
  freshNames,
  type Graph,
  isInitializer,
  isStatic,
  type Node,
  namesOf,
  nestedGraphs,
  nodeInputs,
  opsetOf,
  producersOf,
  type QuantizationAnnotation,
  type Shape,
  type TensorType,
  topologicalSort,
  type ValueInfo,
} from './graph.ts';
export {
  type AttributeInput,
  attributeOf,
  type GraphBuilder,
  type GraphStart,
  graphBuilder,
  type NodeOptions,
} from './graph-builder.ts';
export {
  elementCount,
  type Initializer,
  initializerOf,
  type SparseInitializer,
  type TensorData,
  type TensorInput,
  type TensorValues,
  tensorNumbers,
  tensorValues,
} from './initializer.ts';
export {
  type FunctionBody,
  functionBodies,
  readFunction,
  referencedAttribute,
} from './local-function.ts';
export {
  type LocalFunction,
  modelChunks,
  modelOf,
  type OnnxModel,
  readModel,
  withGraph,
  writeModel,
} from './model-proto.ts';
export { isOneFile } from './one-file.ts';
export { each, namesIn, operatorKey, type Words } from './operators.ts';
export { peakActivationBytes } from './peak-memory.ts';
export { renameNode, renameTensors } from './rename.ts';
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
