import { FoveaError } from '../../errors.ts';
import {
  type AttributeInput,
  attributeOf,
  type DataType,
  freshNames,
  type Graph,
  type Initializer,
  inferNode,
  initializerOf,
  isFloat,
  type Node,
  namesOf,
  type Shape,
  type TensorInfo,
} from '../../onnx/index.ts';

/** Attributes of a node by name. An attribute with the value `undefined` is left out. */
export type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/** Emits nodes and constants, and returns the shapes of tensors. */
export interface NodeOps {
  /** Opset version of the default domain. */
  readonly opset: number;
  /** The known type, shape and value of a tensor of the forward pass or of an emitted tensor. */
  info(name: string): TensorInfo;
  /**
   * The shape of a tensor.
   * @throws FoveaError `unsupported` if its rank is not known.
   */
  shape(name: string): Shape;
  /** Emits a node with one output. Returns the name of the output. */
  op(opType: string, inputs: readonly string[], attributes?: Attributes, domain?: string): string;
  /** Emits a node with `outputs` outputs. Returns their names. */
  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: number,
    domain?: string,
  ): string[];
  /** Emits a constant of any shape. Small constants with equal contents are emitted once. */
  constant(values: ArrayLike<number>, shape: readonly number[], type: DataType): string;
  /** Emits a constant [] of the element type of `like`. */
  scalar(value: number, like: string): string;
  /** Emits a constant vector of int64. */
  ints(values: readonly number[]): string;
}

/** Nodes and constants that an emitter adds to a graph. */
interface Emission {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /**
   * Versions of operator sets by domain: those of the graph, and of domains that only emitted nodes
   * use.
   */
  readonly opset: ReadonlyMap<string, number>;
}

/** The emitter that the formulas in the other files of this folder use. */
export interface Emitter extends NodeOps {
  /** A name that no tensor or node has yet. It is `wish`, or `wish` with a number. */
  fresh(wish: string): string;
  /** The element type of a tensor; float32 if it is not known. */
  floatType(name: string): DataType;
  /**
   * Records the shape of a tensor that shape inference cannot find. Returns the name of the tensor.
   */
  withShape(name: string, shape: Shape): string;
  /** Everything emitted so far. */
  emitted(): Emission;
}

/** Constants with more elements are not compared with earlier constants. */
const largestShared = 64;

/** The information on a tensor that shape inference has not reached. */
const unknown: TensorInfo = { type: null, shape: null, value: null };

interface State {
  readonly nodes: Node[];
  readonly initializers: Map<string, Initializer>;
  /** Names of small constants by their contents. */
  readonly shared: Map<string, string>;
  readonly opsets: Map<string, number>;
  readonly known: Map<string, TensorInfo>;
  readonly fresh: (wish: string) => string;
}

/** Adds a node with the given outputs, and infers the types and shapes of the outputs. */
function emit(
  { nodes, opsets, known }: State,
  parts: Pick<Node, 'opType' | 'domain' | 'inputs' | 'outputs'>,
  attributes: Attributes,
): void {
  const entries = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, attributeOf(key, value)] as const],
  );
  const [name = ''] = parts.outputs;
  const node: Node = { ...parts, name, attributes: new Map(entries), otherFields: [] };
  nodes.push(node);
  if (!opsets.has(node.domain)) opsets.set(node.domain, 1);
  const infos = inferNode(known, { opset: opsets }, node);
  for (const [i, output] of node.outputs.entries()) known.set(output, infos[i] ?? unknown);
}

function constant(
  { initializers, shared, known, fresh }: State,
  values: ArrayLike<number>,
  shape: readonly number[],
  type: DataType,
): string {
  const small = values.length <= largestShared ? Array.from(values) : null;
  const key = small ? `${type}[${shape}]${small.join()}` : '';
  const earlier = shared.get(key);
  if (earlier !== undefined) return earlier;
  const name = fresh('grad/constant');
  initializers.set(name, initializerOf(name, type, shape, values));
  known.set(name, { type, shape, value: small });
  if (small) shared.set(key, name);
  return name;
}

/** The element type of a tensor. It is float32 if it is not known. */
const floatTypeOf = ({ known }: State, name: string): DataType =>
  known.get(name)?.type ?? 'float32';

/**
 * A constant [] with the element type of `like`.
 * @throws FoveaError `model` if this type cannot represent the number.
 */
function scalar(state: State, value: number, like: string): string {
  const type = floatTypeOf(state, like);
  if (!isFloat(type) && !Number.isSafeInteger(value))
    throw new FoveaError(
      'model',
      `the tensor "${like}" has the element type ${type}, but a gradient needs the number ` +
        `${value}: expected a floating-point type`,
    );
  return constant(state, [value], [], type);
}

function shapeOf({ known }: State, name: string): Shape {
  const shape = known.get(name)?.shape ?? null;
  if (shape === null)
    throw new FoveaError(
      'unsupported',
      `the gradient of the tensor "${name}" needs its shape, which is not known`,
    );
  return shape;
}

/**
 * Creates an emitter for a graph. `known` contains the inferred information on the graph's tensors.
 * The emitter adds the information on the tensors that it emits.
 */
export function createEmitter(graph: Graph, known: Map<string, TensorInfo>): Emitter {
  const state: State = {
    nodes: [],
    initializers: new Map(),
    shared: new Map(),
    opsets: new Map(graph.opset),
    known,
    fresh: freshNames(namesOf(graph)),
  };
  const { nodes, initializers, opsets, fresh } = state;
  const info = (name: string): TensorInfo => known.get(name) ?? unknown;
  const floatType = (name: string): DataType => floatTypeOf(state, name);
  return {
    opset: graph.opset.get('') ?? 1,
    info,
    shape: (name) => shapeOf(state, name),
    op(opType, inputs, attributes = {}, domain = '') {
      const output = fresh(`grad/${opType}`);
      emit(state, { opType, domain, inputs: [...inputs], outputs: [output] }, attributes);
      return output;
    },
    ops(opType, inputs, attributes, count, domain = '') {
      const outputs = Array.from({ length: count }, () => fresh(`grad/${opType}`));
      emit(state, { opType, domain, inputs: [...inputs], outputs }, attributes);
      return outputs;
    },
    constant: (values, shape, type) => constant(state, values, shape, type),
    scalar: (value, like) => scalar(state, value, like),
    ints: (values) => constant(state, values, [values.length], 'int64'),
    fresh,
    floatType,
    withShape(name, shape) {
      known.set(name, { ...info(name), shape });
      return name;
    },
    emitted: () => ({ nodes, initializers, opset: opsets }),
  };
}
