import { FoveaError } from '../errors.ts';
import { dataInputs, type Graph } from './graph.ts';
import { encodeGraph, normalizeDomain, parseGraph } from './graph-proto.ts';
import { otherFormat } from './other-formats.ts';
import { sourceOf, withSource } from './source.ts';
import { encodeEntry, parseEntry } from './tensor-proto.ts';
import {
  bytesField,
  type Chunks,
  chunksOf,
  concatenate,
  createWireWriter,
  damaged,
  type Field,
  fieldsOf,
  intField,
  joinSmallParts,
  type Message,
  messageField,
  messageOfBytes,
  rawField,
  stringField,
} from './wire.ts';

/** An operator that the model itself defines, as the bytes of its FunctionProto. */
export interface LocalFunction {
  readonly domain: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * An ONNX file as data. A model that is read is frozen. To change it, make a copy:
 * `{ ...model, graph }`.
 */
export interface OnnxModel {
  readonly irVersion: number;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly functions: readonly LocalFunction[];
  /** The graph. Its `opset` contains the opset imports of the model. */
  readonly graph: Graph;
  /** Fields that are not interpreted (doc_string, model_version, …), as bytes of the file. */
  readonly otherFields: readonly Uint8Array[];
}

/**
 * Reads an ONNX file. Weights stay slices of `bytes`. They are not decoded or copied.
 * @throws FoveaError `model` if the bytes are not an intact ONNX model.
 */
export function readModel(bytes: Uint8Array): OnnxModel {
  if (bytes.length === 0) throw new FoveaError('model', 'not an ONNX model: the file is empty');
  const format = otherFormat(bytes);
  if (format !== undefined) throw new FoveaError('model', `not an ONNX model but ${format}`);
  const message = messageOfBytes(bytes, 'ModelProto');
  const opset = new Map<string, number>();
  const metadata = new Map<string, string>();
  const functions: LocalFunction[] = [];
  const otherFields: Uint8Array[] = [];
  let [irVersion, producerName, producerVersion] = [0, '', ''];
  let graphField: Field | undefined;
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1:
        irVersion = intField(field);
        break;
      case 2:
        producerName = stringField(field);
        break;
      case 3:
        producerVersion = stringField(field);
        break;
      case 7:
        graphField = field;
        break;
      case 8:
        opset.set(...parseOpset(messageField(field, 'OperatorSetIdProto')));
        break;
      case 14:
        metadata.set(...parseEntry(messageField(field, 'StringStringEntryProto')));
        break;
      case 25:
        functions.push(parseFunction(field));
        break;
      default:
        otherFields.push(rawField(field));
    }
  }
  if (graphField === undefined) throw damaged(message, bytes.length, 'it has no graph');
  if (opset.size === 0) throw damaged(message, bytes.length, 'it names no operator set');
  const graph = parseGraph(messageField(graphField, 'GraphProto'), opset);
  return withSource(
    { irVersion, producerName, producerVersion, metadata, functions, graph, otherFields },
    bytes,
  );
}

function parseOpset(message: Message): [domain: string, version: number] {
  let domain = '';
  let version = 0;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) domain = normalizeDomain(stringField(field));
    else if (field.number === 2) version = intField(field);
  }
  return [domain, version];
}

function parseFunction(outer: Field): LocalFunction {
  let name = '';
  let domain = '';
  for (const field of fieldsOf(messageField(outer, 'FunctionProto'))) {
    if (field.number === 1) name = stringField(field);
    else if (field.number === 10) domain = stringField(field);
  }
  return Object.freeze({ name, domain, bytes: bytesField(outer) });
}

function encodeModel(model: OnnxModel): Chunks {
  const source = sourceOf(model);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  writer.int(1, model.irVersion);
  if (model.producerName !== '') writer.string(2, model.producerName);
  if (model.producerVersion !== '') writer.string(3, model.producerVersion);
  writer.message(7, encodeGraph(model.graph));
  for (const [domain, version] of model.graph.opset) {
    const entry = createWireWriter();
    if (domain !== '') entry.string(1, domain);
    entry.int(2, version);
    writer.message(8, entry.finish());
  }
  for (const [key, value] of model.metadata) writer.message(14, encodeEntry(key, value));
  for (const { bytes } of model.functions) writer.bytes(25, bytes);
  writer.raw(model.otherFields);
  return writer.finish();
}

const largestFile = 2 ** 31 - 1;

/**
 * The file of a model, as a list of slices. Weights are not copied. Parts of the model that were
 * read and not changed are emitted byte for byte.
 * @throws FoveaError `unsupported` if the file would exceed 2 GB, the limit of a protobuf message.
 */
export function modelChunks(model: OnnxModel): Uint8Array[] {
  const { parts, length } = encodeModel(model);
  if (length > largestFile) {
    const size = (length / 2 ** 30).toFixed(1);
    throw new FoveaError(
      'unsupported',
      `the model would be ${size} GB; an ONNX file without external data has at most 2 GB`,
    );
  }
  return joinSmallParts(parts);
}

/**
 * The file of a model in one buffer. Weights are copied.
 * @throws FoveaError as `modelChunks` does.
 */
export function writeModel(model: OnnxModel): Uint8Array {
  return concatenate(modelChunks(model));
}

/**
 * The model with another graph. The IR version becomes at least 4, and initializers are removed
 * from the inputs if it was lower.
 */
export function withGraph(model: OnnxModel, graph: Graph): OnnxModel {
  if (model.irVersion >= 4) return { ...model, graph };
  return { ...model, irVersion: 4, graph: { ...graph, inputs: dataInputs(graph) } };
}

/**
 * The IR version that belongs to each opset version of the default domain, from opset 9 (IR 4) on.
 */
const irVersions = [4, 5, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11, 12, 12];

/** A model that contains a graph that was built by `graphBuilder`. */
export function modelOf(graph: Graph): OnnxModel {
  const opset = graph.opset.get('') ?? 1;
  // The runtime accepts any IR version with any opset. 8 is the first version that supports
  // everything that this code writes.
  const irVersion = Math.max(8, irVersions[Math.min(opset - 9, irVersions.length - 1)] ?? 8);
  return {
    irVersion,
    producerName: 'fovea',
    producerVersion: '',
    metadata: new Map(),
    functions: [],
    graph,
    otherFields: [],
  };
}
