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
 * The value of an attribute for a builder. A number becomes a float if it is not an integer or if
 * ONNX has a float attribute with that name (`alpha`, `epsilon`, …), else an int.
 * `{ type: 'float', value: 1 }` sets the type explicitly.
 */
export type AttributeInput =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | Initializer
  | Graph
  | Attribute;

/** Attributes of a node by name. An attribute with the value `undefined` is left out. */
type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/** Optional properties of a node. */
export interface NodeOptions {
  /** The name of the node. Default: the name of its first output. */
  readonly name?: string;
  /** The domain of the operator. Default: '', the domain of ONNX. */
  readonly domain?: string;
}

/**
 * The start of a graph: an empty graph with an opset version (or versions by domain), or an
 * existing graph to extend. The default name is `graph`.
 */
export type GraphStart =
  | { readonly opset: number | Readonly<Record<string, number>>; readonly name?: string }
  | { readonly extend: Graph };

/** Builds a graph node by node. Methods that add tensors return their names. */
export interface GraphBuilder {
  /** Opset version of the default domain. */
  readonly opset: number;
  /** A name that the graph does not have yet: `wish`, or `wish` with a number. */
  fresh(wish: string): string;
  /**
   * Declares a graph input with exactly this name.
   * @throws FoveaError `internal` if the name is taken.
   */
  input(name: string, type: DataType, shape: Shape | null): string;
  /**
   * Adds a constant tensor. Default shape: [] for one number, a vector for a list. Default type:
   * that of a typed array, else float32. Default name: `constant`, made unique.
   */
  constant(values: TensorInput, shape?: readonly number[], type?: DataType, name?: string): string;
  /** Adds an initializer, under a new name if its own name is taken. */
  initializer(tensor: Initializer): string;
  /**
   * Adds a node with one output, named `output` or with a new name. '' leaves out an optional
   * input.
   */
  add(
    opType: string,
    inputs: readonly string[],
    attributes?: Attributes,
    output?: string,
    options?: NodeOptions,
  ): string;
  /**
   * Adds a node with several outputs. `outputs` is their names ('' leaves one out), or their
   * number.
   */
  add(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes | undefined,
    outputs: number | readonly string[],
    options?: NodeOptions,
  ): string[];
  /** Adds an existing node. */
  node(node: Node): void;
  /** Declares a tensor as a graph output. */
  output(name: string, type?: DataType | null, shape?: Shape | null): string;
  /** The graph that was built so far, with its nodes in topological order. */
  finish(): Graph;
}

/**
 * Attributes of ONNX operators that are floats or lists of floats, even if the value is an integer.
 */
const floatAttributes = new Set(
  `activation_alpha activation_beta activation_params alpha beta bias cubic_coeff_a epsilon
  extrapolation_value gamma high lambd low mask_filter_value max mean min momentum
  norm_coefficient ratio scale scales seed softcap spatial_scale value_float value_floats`.split(
    /\s+/,
  ),
);

/** Starts building a graph. A graph to extend is not changed. */
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

/**
 * Converts the value of an attribute for a builder to an attribute. `name` decides between ints and
 * floats.
 */
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
