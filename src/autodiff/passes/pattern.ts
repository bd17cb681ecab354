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

/** What a pass that looks for patterns may ask of a graph. */
export interface GraphView {
  /** The node of one of these types (separated by spaces) that computes a tensor. */
  producer(tensor: string, opTypes: string): Node | undefined;
  /** The one node that reads a tensor, if it is of one of these types and no other node does. */
  onlyReader(tensor: string, opTypes: string): Node | undefined;
  /** The number that a tensor holds, where it is a constant of one element. */
  number(tensor: string): number | undefined;
  isConstant(tensor: string): boolean;
}

/**
 * A view of a graph whose Constant nodes are initializers. Tensors in `keep` have readers beyond
 * the graph.
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

/** The other input of a commutative node with two. */
export function otherInput(node: Node, input: string): string {
  const [first = '', second = ''] = node.inputs;
  return first === input ? second : first;
}

/** A new node, named after its first output. */
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
