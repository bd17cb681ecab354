import {
  type AttributeInput,
  attributeOf,
  consumersOf,
  type Graph,
  isInitializer,
  type Node,
  producersOf,
  tensorNumbers,
} from '../../onnx/index.ts';

/** Queries of a graph for passes that search for patterns of nodes. */
export interface GraphView {
  /** The node that computes a tensor, if its type is in `opTypes` (separated by spaces). */
  producer(tensor: string, opTypes: string): Node | undefined;
  /**
   * The only node that reads a tensor, if its type is in `opTypes` (separated by spaces). Undefined
   * if the tensor is also a graph output or in `keep`.
   */
  onlyReader(tensor: string, opTypes: string): Node | undefined;
  /** The value of a constant tensor with one element. Undefined for any other tensor. */
  number(tensor: string): number | undefined;
  isConstant(tensor: string): boolean;
}

/**
 * Creates the queries for a graph. Constants of the graph must be initializers, not Constant nodes.
 * Tensors in `keep` count as graph outputs.
 */
export function viewOf(graph: Graph, keep: ReadonlySet<string>): GraphView {
  const producers = producersOf(graph);
  const consumers = consumersOf(graph);
  const visible = new Set([...keep, ...graph.outputs.map(({ name }) => name)]);
  const isOneOf = (node: Node | undefined, opTypes: string): boolean =>
    node !== undefined && node.domain === '' && opTypes.split(' ').includes(node.opType);
  return {
    producer(tensor, opTypes) {
      const node = producers.get(tensor);
      return isOneOf(node, opTypes) ? node : undefined;
    },
    onlyReader(tensor, opTypes) {
      const readers = consumers.get(tensor) ?? [];
      const [reader] = readers;
      if (visible.has(tensor) || readers.length !== 1) return undefined;
      return isOneOf(reader, opTypes) ? reader : undefined;
    },
    number(tensor) {
      const initializer = graph.initializers.get(tensor);
      if (initializer === undefined || initializer.dims.some((dim) => dim !== 1)) return undefined;
      return tensorNumbers(initializer)[0];
    },
    isConstant: (tensor) => isInitializer(graph, tensor),
  };
}

/** The other input of a node with two inputs. */
export function otherInput(node: Node, input: string): string {
  const [first = '', second = ''] = node.inputs;
  return first === input ? second : first;
}

/** A new node with the name of its first output. */
export function nodeOf(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeInput>> = {},
  domain = '',
): Node {
  const entries = Object.entries(attributes).map(
    ([name, value]) => [name, attributeOf(name, value)] as const,
  );
  const [name = ''] = outputs;
  return {
    name,
    opType,
    domain,
    inputs,
    outputs,
    attributes: new Map(entries),
    otherFields: [],
  };
}
