import type { Attribute, Graph, Node, ValueInfo } from './graph.ts';
import type { Initializer, SparseInitializer } from './initializer.ts';

/**
 * The graph with its tensors renamed, also in nested graphs. `names` maps old to new names. Other
 * names stay.
 */
export function renameTensors(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  if (names.size === 0) return graph;
  const rename = (name: string): string => names.get(name) ?? name;
  return {
    ...graph,
    nodes: graph.nodes.map((node) => renameNode(node, names)),
    inputs: graph.inputs.map((info) => renameInfo(info, rename)),
    outputs: graph.outputs.map((info) => renameInfo(info, rename)),
    valueInfo: renameMap(graph.valueInfo, rename, (info) => renameInfo(info, rename)),
    initializers: renameMap(graph.initializers, rename, (tensor) => renameTensor(tensor, rename)),
    sparseInitializers: renameMap(graph.sparseInitializers, rename, (sparse) =>
      renameSparse(sparse, rename),
    ),
    quantizationAnnotations: graph.quantizationAnnotations.map((annotation) => ({
      tensorName: rename(annotation.tensorName),
      parameters: new Map([...annotation.parameters].map(([key, name]) => [key, rename(name)])),
    })),
  };
}

type Rename = (name: string) => string;

function renameMap<T>(
  map: ReadonlyMap<string, T>,
  rename: Rename,
  change: (value: T) => T,
): Map<string, T> {
  return new Map([...map].map(([name, value]) => [rename(name), change(value)]));
}

function renameInfo(info: ValueInfo, rename: Rename): ValueInfo {
  const name = rename(info.name);
  return name === info.name ? info : { ...info, name };
}

function renameTensor(tensor: Initializer, rename: Rename): Initializer {
  const name = rename(tensor.name);
  return name === tensor.name ? tensor : { ...tensor, name };
}

function renameSparse(sparse: SparseInitializer, rename: Rename): SparseInitializer {
  const values = renameTensor(sparse.values, rename);
  return values === sparse.values ? sparse : { ...sparse, values };
}

/**
 * The node with its inputs and outputs renamed, also in nested graphs. The same object if nothing
 * changes.
 */
export function renameNode(node: Node, names: ReadonlyMap<string, string>): Node {
  const isRenamed = (name: string): boolean => names.has(name);
  const nested = [...node.attributes.values()].some(
    ({ type }) => type === 'graph' || type === 'graphs',
  );
  if (!nested && !node.inputs.some(isRenamed) && !node.outputs.some(isRenamed)) return node;
  const rename = (name: string): string => names.get(name) ?? name;
  const attributes = nested
    ? new Map(
        [...node.attributes].map(([name, attribute]) => [name, renameAttribute(attribute, names)]),
      )
    : node.attributes;
  return {
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes,
  };
}

function renameAttribute(attribute: Attribute, names: ReadonlyMap<string, string>): Attribute {
  if (attribute.type === 'graph')
    return { type: 'graph', value: renameTensors(attribute.value, names) };
  if (attribute.type === 'graphs') {
    return { type: 'graphs', value: attribute.value.map((graph) => renameTensors(graph, names)) };
  }
  return attribute;
}
