import { FoveaError } from '../errors.ts';
import { byteSize } from './data-types.ts';
import type { Attribute, Graph, Node } from './graph.ts';
import { elementCount, type Initializer } from './initializer.ts';
import { type OnnxModel, withGraph } from './model-proto.ts';

/**
 * The files beside the model that hold weights of it, each once; empty for a model that is one
 * file.
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
 * The model with its external weights brought in as slices of the given buffers, by the names that
 * `externalDataFiles` lists; nothing is copied.
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

/**
 * The graph with every tensor mapped, those in attributes too; what does not change stays the same
 * object.
 */
function mapGraph(graph: Graph, map: TensorMap): Graph {
  let changed = false;
  const keep = <T>(before: T, after: T): T => {
    if (after !== before) changed = true;
    return after;
  };
  const initializers = new Map(
    [...graph.initializers].map(([name, tensor]) => [name, keep(tensor, map(tensor))]),
  );
  const nodes = graph.nodes.map((node) => keep(node, mapNode(node, map)));
  return changed ? { ...graph, nodes, initializers } : graph;
}

function mapNode(node: Node, map: TensorMap): Node {
  let changed = false;
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const mapped = mapAttribute(attribute, map);
    if (mapped !== attribute) changed = true;
    attributes.set(name, mapped);
  }
  return changed ? { ...node, attributes } : node;
}

function mapAttribute(attribute: Attribute, map: TensorMap): Attribute {
  if (attribute.type === 'tensor') {
    const value = map(attribute.value);
    return value === attribute.value ? attribute : { type: 'tensor', value };
  }
  if (attribute.type === 'graph') {
    const value = mapGraph(attribute.value, map);
    return value === attribute.value ? attribute : { type: 'graph', value };
  }
  if (attribute.type === 'tensors') {
    const value = attribute.value.map(map);
    return value.every((tensor, i) => tensor === attribute.value[i])
      ? attribute
      : { type: 'tensors', value };
  }
  if (attribute.type === 'graphs') {
    const value = attribute.value.map((graph) => mapGraph(graph, map));
    return value.every((graph, i) => graph === attribute.value[i])
      ? attribute
      : { type: 'graphs', value };
  }
  return attribute;
}
