import { FoveaError } from '../errors.ts';
import type { DataType } from './data-types.ts';
import type { Initializer, SparseInitializer } from './initializer.ts';

/**
 * One dimension: a size, a symbolic name (`batch`, or an expression such as `64*batch`), or null
 * for unknown.
 */
export type Dim = number | string | null;

/** The dimensions of a tensor whose rank is known. */
export type Shape = readonly Dim[];

/** Whether every dimension is a number. */
export function isStatic(shape: Shape | null): shape is readonly number[] {
  return shape?.every((dim) => typeof dim === 'number') ?? false;
}

/** What is known of a tensor without running the graph; null for unknown. */
export interface TensorType {
  readonly type: DataType | null;
  readonly shape: Shape | null;
}

/** The declared type of a graph input, output or intermediate tensor. */
export interface ValueInfo extends TensorType {
  readonly name: string;
  /** The TypeProto of a value that is not a dense tensor (a sequence, a map, an optional). */
  readonly opaqueType?: Uint8Array;
  /** Fields that are not interpreted, as they came from the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** The value that each type of attribute has. */
export interface AttributeValues {
  float: number;
  int: number;
  string: string;
  tensor: Initializer;
  graph: Graph;
  floats: readonly number[];
  ints: readonly number[];
  strings: readonly string[];
  tensors: readonly Initializer[];
  graphs: readonly Graph[];
  /**
   * Sparse tensors, types and references to a function's attribute: kept as the bytes of the
   * AttributeProto.
   */
  other: Uint8Array;
}

/** The value of one node attribute: `{ type: 'int', value: 1 }`. */
export type Attribute = {
  [T in keyof AttributeValues]: { readonly type: T; readonly value: AttributeValues[T] };
}[keyof AttributeValues];

/** One operation. An empty name means an optional input or output that is left out. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  /** The operator set: '' for the default one of ONNX. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Fields that are not interpreted, as they came from the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** The tensors that hold a tensor's scale and zero point. */
export interface QuantizationAnnotation {
  readonly tensorName: string;
  /** `SCALE_TENSOR` and `ZERO_POINT_TENSOR` to tensor names. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * A computation graph as plain data. What is read from a file is frozen; a change is a copy:
 * `{ ...graph, nodes }`, `{ ...node, inputs }`.
 */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  /** As the file lists them; before IR version 4 initializers are among them (see `dataInputs`). */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  readonly sparseInitializers: ReadonlyMap<string, SparseInitializer>;
  /** Declared types of intermediate tensors. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
  readonly quantizationAnnotations: readonly QuantizationAnnotation[];
  /** Version of each operator set that the graph's nodes are written in, by domain. */
  readonly opset: ReadonlyMap<string, number>;
  /** Fields that are not interpreted, as they came from the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** A graph whose lists and maps are its own, to be edited in place by the code that made it. */
export interface MutableGraph extends Graph {
  name: string;
  nodes: Node[];
  inputs: ValueInfo[];
  outputs: ValueInfo[];
  initializers: Map<string, Initializer>;
  sparseInitializers: Map<string, SparseInitializer>;
  valueInfo: Map<string, ValueInfo>;
  quantizationAnnotations: QuantizationAnnotation[];
  opset: Map<string, number>;
}

/** A graph with new lists and maps of the same nodes and initializers. */
export function cloneGraph(graph: Graph): MutableGraph {
  return {
    ...graph,
    nodes: [...graph.nodes],
    inputs: [...graph.inputs],
    outputs: [...graph.outputs],
    initializers: new Map(graph.initializers),
    sparseInitializers: new Map(graph.sparseInitializers),
    valueInfo: new Map(graph.valueInfo),
    quantizationAnnotations: [...graph.quantizationAnnotations],
    opset: new Map(graph.opset),
  };
}

/** A graph with nothing in it. */
export function emptyGraph(name: string, opset: ReadonlyMap<string, number>): Graph {
  return {
    name,
    nodes: [],
    inputs: [],
    outputs: [],
    initializers: new Map(),
    sparseInitializers: new Map(),
    valueInfo: new Map(),
    quantizationAnnotations: [],
    opset,
    otherFields: [],
  };
}

/** The inputs that a caller feeds: those that no initializer fills. */
export function dataInputs(graph: Graph): readonly ValueInfo[] {
  return graph.inputs.filter((input) => !isInitializer(graph, input.name));
}

/** Whether the tensor is an initializer, dense or sparse. */
export function isInitializer(graph: Graph, name: string): boolean {
  return graph.initializers.has(name) || graph.sparseInitializers.has(name);
}

/** The opset version that a node is written in; 1 where its domain is not imported. */
export function opsetOf(graph: Pick<Graph, 'opset'>, node: Pick<Node, 'domain'>): number {
  return graph.opset.get(node.domain) ?? 1;
}

/** The graphs in a node's attributes: the branches of If, the body of Loop and Scan. */
export function nestedGraphs(node: Node): readonly Graph[] {
  const graphs: Graph[] = [];
  for (const attribute of node.attributes.values()) {
    if (attribute.type === 'graph') graphs.push(attribute.value);
    else if (attribute.type === 'graphs') graphs.push(...attribute.value);
  }
  return graphs;
}

/**
 * Every tensor a node reads: its inputs, and what the graphs in its attributes take from around
 * them.
 */
export function nodeInputs(node: Node): readonly string[] {
  const nested = nestedGraphs(node);
  if (nested.length === 0) return node.inputs.filter((name) => name !== '');
  return [
    ...new Set([...node.inputs.filter((name) => name !== ''), ...nested.flatMap(capturedNames)]),
  ];
}

function capturedNames(graph: Graph): readonly string[] {
  const own = new Set([...graph.initializers.keys(), ...graph.sparseInitializers.keys()]);
  for (const input of graph.inputs) own.add(input.name);
  for (const node of graph.nodes) for (const output of node.outputs) own.add(output);
  const used = [...graph.nodes.flatMap(nodeInputs), ...graph.outputs.map((output) => output.name)];
  return used.filter((name) => !own.has(name));
}

/** The node that computes each tensor. */
export function producersOf(graph: Graph): Map<string, Node> {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (producers.has(output))
        throw new FoveaError('model', `two nodes compute the tensor "${output}"`);
      producers.set(output, node);
    }
  }
  return producers;
}

/**
 * The nodes that read each tensor, in the order of the graph; a node that reads it twice is listed
 * once.
 */
export function consumersOf(graph: Graph): Map<string, Node[]> {
  const consumers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const input of new Set(nodeInputs(node))) {
      const readers = consumers.get(input);
      if (readers) readers.push(node);
      else consumers.set(input, [node]);
    }
  }
  return consumers;
}

/** Every name of the graph and the graphs in it: tensors and nodes. */
export function namesOf(graph: Graph): Set<string> {
  const names = new Set<string>([...graph.initializers.keys(), ...graph.sparseInitializers.keys()]);
  for (const { name } of [...graph.inputs, ...graph.outputs]) names.add(name);
  for (const node of graph.nodes) {
    names.add(node.name);
    for (const name of [...node.inputs, ...node.outputs]) names.add(name);
    for (const nested of nestedGraphs(node)) for (const name of namesOf(nested)) names.add(name);
  }
  names.delete('');
  return names;
}

/**
 * A function that turns a wished name into one not in `taken`, `x`, `x_1`, `x_2`, …, and adds it
 * to `taken`.
 */
export function freshNames(taken: Set<string>): (wish: string) => string {
  const counts = new Map<string, number>();
  return (wish) => {
    let count = counts.get(wish) ?? 0;
    let name = count === 0 ? wish : `${wish}_${count}`;
    while (taken.has(name)) name = `${wish}_${++count}`;
    counts.set(wish, count + 1);
    taken.add(name);
    return name;
  };
}

/**
 * The nodes in an order in which each comes after those it reads from; a valid order is kept as it
 * is.
 * @throws FoveaError `model` if the nodes form a cycle.
 */
export function topologicalSort(nodes: readonly Node[]): Node[] {
  const producers = new Map<string, Node>();
  for (const node of nodes)
    for (const output of node.outputs) if (output !== '') producers.set(output, node);
  const sorted: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  for (const root of nodes) {
    const stack = [root];
    for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
      if (state.get(node) === undefined) {
        state.set(node, 'open');
        for (const input of nodeInputs(node).toReversed()) {
          const producer = producers.get(input);
          if (producer === undefined || state.get(producer) === 'done') continue;
          if (state.get(producer) === 'open') {
            throw new FoveaError('model', `the tensor "${input}" depends on itself`);
          }
          stack.push(producer);
        }
      } else {
        stack.pop();
        if (state.get(node) === 'open') {
          state.set(node, 'done');
          sorted.push(node);
        }
      }
    }
  }
  return sorted;
}
