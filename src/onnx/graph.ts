import { FoveaError } from '../errors.ts';
import type { DataType } from './data-types.ts';
import type { Initializer, SparseInitializer } from './initializer.ts';

/**
 * One dimension: a size, a symbolic name (`batch`, or an expression such as `64*batch`), or null if
 * it is unknown.
 */
export type Dim = number | string | null;

/** The dimensions of a tensor whose rank is known. */
export type Shape = readonly Dim[];

/** Whether every dimension is a number. */
export function isStatic(shape: Shape | null): shape is readonly number[] {
  return shape?.every((dim) => typeof dim === 'number') ?? false;
}

/**
 * The element type and the shape of a tensor, as far as they are known without running the graph.
 * Null means unknown.
 */
export interface TensorType {
  readonly type: DataType | null;
  readonly shape: Shape | null;
}

/** The declared type of a graph input, output or intermediate tensor. */
export interface ValueInfo extends TensorType {
  readonly name: string;
  /** The TypeProto of a value that is not a dense tensor (a sequence, a map, an optional). */
  readonly opaqueType?: Uint8Array;
  /** Fields that are not interpreted, as bytes of the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** The type of the value of each type of attribute. */
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
   * Sparse tensors, types and references to an attribute of a function, as the bytes of the
   * AttributeProto.
   */
  other: Uint8Array;
}

/** One attribute of a node, for example `{ type: 'int', value: 1 }`. */
export type Attribute = {
  [T in keyof AttributeValues]: { readonly type: T; readonly value: AttributeValues[T] };
}[keyof AttributeValues];

/** One operation. In `inputs` and `outputs`, '' stands for an optional tensor that is left out. */
export interface Node {
  readonly name: string;
  readonly opType: string;
  /** The domain of the operator: '' for the default domain of ONNX. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Fields that are not interpreted, as bytes of the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** The names of the tensors with the scale and the zero point of a quantized tensor. */
export interface QuantizationAnnotation {
  readonly tensorName: string;
  /** Tensor names by the keys `SCALE_TENSOR` and `ZERO_POINT_TENSOR`. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * A computation graph as plain data. Graphs that are read from a file are frozen. To change them,
 * make a copy: `{ ...graph, nodes }`, `{ ...node, inputs }`.
 */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  /**
   * The inputs as in the file. Before IR version 4 they include initializers (see `dataInputs`).
   */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  readonly sparseInitializers: ReadonlyMap<string, SparseInitializer>;
  /** Declared types of intermediate tensors. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
  readonly quantizationAnnotations: readonly QuantizationAnnotation[];
  /** Version of each operator set of the nodes, by domain. */
  readonly opset: ReadonlyMap<string, number>;
  /** Fields that are not interpreted, as bytes of the file. */
  readonly otherFields: readonly Uint8Array[];
}

/**
 * A graph whose lists and maps belong only to it, so that the code that made it can change them in
 * place.
 */
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

/** A copy of a graph with new lists and maps. The nodes and initializers are the same objects. */
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

/** A graph without nodes, inputs and outputs. */
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

/** The inputs that a caller must feed: the inputs that are not initializers. */
export function dataInputs(graph: Graph): readonly ValueInfo[] {
  return graph.inputs.filter((input) => !isInitializer(graph, input.name));
}

/** Whether the tensor is an initializer, dense or sparse. */
export function isInitializer(graph: Graph, name: string): boolean {
  return graph.initializers.has(name) || graph.sparseInitializers.has(name);
}

/** The opset version of a node; 1 if the graph does not import its domain. */
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
 * The names of all tensors that a node reads: its inputs, and outer tensors that the graphs in its
 * attributes read.
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

/**
 * The node that computes each tensor, by tensor name.
 * @throws FoveaError `model` if two nodes compute the same tensor.
 */
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
 * The nodes that read each tensor, by tensor name, in the order of the graph. A node that reads a
 * tensor twice is listed once.
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

/** All names of tensors and nodes in a graph and its nested graphs. */
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
 * Returns a function that makes names unique. For a wish `x` it returns the first of `x`, `x_1`,
 * `x_2`, … that is not in `taken`, and adds it to `taken`.
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
 * Sorts nodes so that each node comes after the nodes whose outputs it reads. A valid order is
 * kept.
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
