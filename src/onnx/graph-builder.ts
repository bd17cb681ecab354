import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { type DataType, dataTypeOf } from './data-types.ts';
import {
  type Attribute,
  cloneGraph,
  emptyGraph,
  freshNames,
  type Graph,
  type Node,
  namesOf,
  type Shape,
  topologicalSort,
} from './graph.ts';
import { type Initializer, initializerOf, type TensorInput } from './initializer.ts';

/**
 * The value of an attribute as a builder takes it. A number is an int, or a float where ONNX has a
 * float attribute of that name (`alpha`, `epsilon`, …); `{ type: 'float', value: 1 }` says it
 * outright.
 */
export type AttributeInput =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | Initializer
  | Graph
  | Attribute;

/** Attributes of a node by name; `undefined` leaves one out. */
type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/** What else a node can be given. */
export interface NodeOptions {
  /** The name of the node; by default that of its first output. */
  readonly name?: string;
  /** The operator set; '' by default. */
  readonly domain?: string;
}

/** Where a graph starts: from nothing at an opset version, or from a graph to be extended. */
export type GraphStart =
  | { readonly opset: number | Readonly<Record<string, number>>; readonly name?: string }
  | { readonly extend: Graph };

/** Builds a graph node by node; every method returns the names of the tensors it made. */
export interface GraphBuilder {
  /** Opset version of the default domain. */
  readonly opset: number;
  /** A name that is not taken yet, made from `wish`. */
  fresh(wish: string): string;
  /** Declares a graph input of exactly this name. */
  input(name: string, type: DataType, shape: Shape | null): string;
  /**
   * A constant tensor. The shape is that of a scalar for one number, of a vector for several,
   * unless given; the type is that of a typed array, float32 otherwise, unless given.
   */
  constant(values: TensorInput, shape?: readonly number[], type?: DataType, name?: string): string;
  /** Adds an initializer as it is, under a fresh name where its own is taken. */
  initializer(tensor: Initializer): string;
  /**
   * Adds a node with one output, named `output` or freshly. An input may be '' where it is
   * optional.
   */
  add(
    opType: string,
    inputs: readonly string[],
    attributes?: Attributes,
    output?: string,
    options?: NodeOptions,
  ): string;
  /** Adds a node with several outputs: their names ('' for one that is left out), or how many. */
  add(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes | undefined,
    outputs: number | readonly string[],
    options?: NodeOptions,
  ): string[];
  /** Adds a node made elsewhere. */
  node(node: Node): void;
  /** Declares a tensor a graph output. */
  output(name: string, type?: DataType | null, shape?: Shape | null): string;
  /** The graph so far, its nodes in topological order. */
  finish(): Graph;
}

/**
 * Attributes of ONNX operators that are floats (or lists of them) where a number could be taken for
 * an int.
 */
const floatAttributes = new Set(
  `activation_alpha activation_beta activation_params alpha beta bias cubic_coeff_a epsilon
  extrapolation_value gamma high lambd low mask_filter_value max mean min momentum
  norm_coefficient ratio scale scales seed softcap spatial_scale value_float value_floats`.split(
    /\s+/,
  ),
);

/** Starts a graph. */
export function graphBuilder(start: GraphStart): GraphBuilder {
  const graph = cloneGraph(
    'extend' in start ? start.extend : emptyGraph(start.name ?? 'graph', opsetMap(start.opset)),
  );
  const taken = namesOf(graph);
  const fresh = freshNames(taken);
  const claim = (name: string): string => {
    if (taken.has(name))
      throw new FoveaError('internal', `the name "${name}" is taken in the graph "${graph.name}"`);
    taken.add(name);
    return name;
  };
  const add = (
    opType: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    outputs?: string | number | readonly string[],
    options?: NodeOptions,
  ): string | string[] => {
    const names = outputNames(opType, outputs ?? 1, claim, fresh);
    graph.nodes.push(nodeOf(opType, inputs, attributes, names, options));
    return outputs === undefined || typeof outputs === 'string' ? at(names, 0) : names;
  };
  const initializer = (tensor: Initializer): string => {
    const name = fresh(tensor.name || 'constant');
    graph.initializers.set(name, name === tensor.name ? tensor : { ...tensor, name });
    return name;
  };
  return {
    opset: graph.opset.get('') ?? 1,
    fresh,
    input(name, type, shape) {
      graph.inputs.push({ name: claim(name), type, shape, otherFields: [] });
      return name;
    },
    constant(values, shape, type, name) {
      const isList = typeof values === 'object';
      const dims = shape ?? (isList ? [values.length] : []);
      return initializer(
        initializerOf(name ?? 'constant', type ?? dataTypeOf(values) ?? 'float32', dims, values),
      );
    },
    initializer,
    add: add as GraphBuilder['add'],
    node(node) {
      for (const output of node.outputs) if (output !== '') claim(output);
      graph.nodes.push(node);
    },
    output(name, type = null, shape = null) {
      graph.outputs.push({ name, type, shape, otherFields: [] });
      return name;
    },
    finish: () => ({ ...cloneGraph(graph), nodes: topologicalSort(graph.nodes) }),
  };
}

function nodeOf(
  opType: string,
  inputs: readonly string[],
  attributes: Attributes,
  outputs: readonly string[],
  { name, domain = '' }: NodeOptions = {},
): Node {
  const entries = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, attributeOf(key, value)] as const],
  );
  return {
    name: name ?? outputs.find((output) => output !== '') ?? '',
    opType,
    domain,
    inputs: [...inputs],
    outputs,
    attributes: new Map(entries),
    otherFields: [],
  };
}

function opsetMap(opset: number | Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  return new Map(typeof opset === 'number' ? [['', opset]] : Object.entries(opset));
}

function outputNames(
  opType: string,
  outputs: string | number | readonly string[],
  claim: (name: string) => string,
  fresh: (wish: string) => string,
): string[] {
  if (typeof outputs === 'string') return [claim(outputs)];
  if (typeof outputs !== 'number') return outputs.map((name) => (name === '' ? '' : claim(name)));
  return Array.from({ length: outputs }, () => fresh(opType));
}

/** Converts a value as a builder takes it to an attribute. */
export function attributeOf(name: string, value: AttributeInput): Attribute {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value === 'number') {
    return { type: floatAttributes.has(name) || !Number.isInteger(value) ? 'float' : 'int', value };
  }
  if (isList(value)) return listAttribute(name, value);
  if ('nodes' in value) return { type: 'graph', value };
  if ('dims' in value) return { type: 'tensor', value };
  return value;
}

function isList(value: AttributeInput): value is readonly number[] | readonly string[] {
  return Array.isArray(value);
}

function listAttribute(name: string, list: readonly number[] | readonly string[]): Attribute {
  if (list.some((item) => typeof item === 'string'))
    return { type: 'strings', value: list as readonly string[] };
  const value = list as readonly number[];
  const isFloats = floatAttributes.has(name) || value.some((item) => !Number.isInteger(item));
  return { type: isFloats ? 'floats' : 'ints', value };
}
