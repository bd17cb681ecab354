import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { byteSize } from './data-types.ts';
import type { Attribute, Graph } from './graph.ts';
import { elementCount, type Initializer } from './initializer.ts';
import { type OnnxModel, withGraph } from './model-proto.ts';

/**
 * The names of the files with external weights of the model, without duplicates. Empty for a model
 * that consists of one file.
 */
export function externalDataFiles(model: OnnxModel): string[] {
  const locations = new Set<string>();
  mapGraph(model.graph, (tensor) => {
    if (tensor.data.kind === 'external') locations.add(tensor.data.location);
    return tensor;
  });
  return [...locations];
}

/**
 * The model with its external weights as slices of the given buffers. Nothing is copied. The keys
 * of `files` are the names that `externalDataFiles` returns.
 * @throws FoveaError `model` if a file is missing or too short.
 */
export function attachExternalData(
  model: OnnxModel,
  files: ReadonlyMap<string, Uint8Array>,
): OnnxModel {
  const graph = mapGraph(model.graph, (tensor) => attach(tensor, files));
  return graph === model.graph ? model : withGraph(model, graph);
}

function attach(tensor: Initializer, files: ReadonlyMap<string, Uint8Array>): Initializer {
  if (tensor.data.kind !== 'external') return tensor;
  const { location, offset } = tensor.data;
  const what = `the tensor "${tensor.name}" is in the file ${location}`;
  const file = files.get(location);
  if (file === undefined)
    throw new FoveaError('model', `${what}, which is missing beside the model`);
  const length = tensor.data.length ?? dataLength(tensor) ?? file.length - offset;
  if (length < 0 || offset + length > file.length) {
    const needed = `bytes ${offset} to ${offset + length}`;
    throw new FoveaError(
      'model',
      `${what} at ${needed}, but the file has ${file.length} bytes; is it complete?`,
    );
  }
  return { ...tensor, data: { kind: 'raw', bytes: file.subarray(offset, offset + length) } };
}

function dataLength(tensor: Initializer): number | undefined {
  const size = byteSize(tensor.type);
  return size === undefined ? undefined : size * elementCount(tensor);
}

type TensorMap = (tensor: Initializer) => Initializer;

/** A list with every element mapped; the same list if no element changes. */
function mapList<T>(list: readonly T[], map: (element: T) => T): readonly T[] {
  const mapped = list.map(map);
  return mapped.every((element, i) => element === list[i]) ? list : mapped;
}

/** A map with every value mapped; the same map if no value changes. */
function mapValues<T>(
  values: ReadonlyMap<string, T>,
  map: (value: T) => T,
): ReadonlyMap<string, T> {
  const before = [...values.values()];
  const after = mapList(before, map);
  return after === before
    ? values
    : new Map([...values.keys()].map((key, i) => [key, at(after, i)]));
}

/**
 * The graph with every initializer and every tensor in attributes mapped; the same graph if none
 * changes.
 */
function mapGraph(graph: Graph, map: TensorMap): Graph {
  const initializers = mapValues(graph.initializers, map);
  const nodes = mapList(graph.nodes, (node) => {
    const attributes = mapValues(node.attributes, (attribute) => mapAttribute(attribute, map));
    return attributes === node.attributes ? node : { ...node, attributes };
  });
  return initializers === graph.initializers && nodes === graph.nodes
    ? graph
    : { ...graph, nodes, initializers };
}

function mapAttribute(attribute: Attribute, map: TensorMap): Attribute {
  const inGraph = (graph: Graph): Graph => mapGraph(graph, map);
  const keep = <A extends Attribute>(before: A, value: A['value']): A =>
    value === before.value ? before : { ...before, value };
  switch (attribute.type) {
    case 'tensor':
      return keep(attribute, map(attribute.value));
    case 'tensors':
      return keep(attribute, mapList(attribute.value, map));
    case 'graph':
      return keep(attribute, inGraph(attribute.value));
    case 'graphs':
      return keep(attribute, mapList(attribute.value, inGraph));
    default:
      return attribute;
  }
}
