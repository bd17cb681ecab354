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

/** Attributes of a node by name; `undefined` leaves one out. */
export type Attributes = Readonly<Record<string, AttributeInput | undefined>>;

/** Emits nodes and constants by operator type, and tells the shapes of tensors. */
export interface NodeOps {
  /** Opset version of the default domain. */
  readonly opset: number;
  /** What is known of a tensor, of the forward pass or emitted. */
  info(name: string): TensorInfo;
  /**
   * The shape of a tensor.
   * @throws FoveaError `unsupported` if its rank is not known.
   */
  shape(name: string): Shape;
  /** A node with one output. */
  op(opType: string, inputs: readonly string[], attributes?: Attributes, domain?: string): string;
  /** A node with `outputs` outputs. */
  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: number,
    domain?: string,
  ): string[];
  /** A constant of any shape. Small constants with equal contents are made once. */
  constant(values: ArrayLike<number>, shape: readonly number[], type: DataType): string;
  /** A number of the element type of `like`. */
  scalar(value: number, like: string): string;
  /** A vector of int64. */
  ints(values: readonly number[]): string;
}

/** What an emitter adds to a graph. */
interface Emission {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Operator sets of the graph, and those that only the emitted nodes need. */
  readonly opset: ReadonlyMap<string, number>;
}

/** The emitter underneath the formulas of the other files of this folder. */
export interface Emitter extends NodeOps {
  /** A name that is not taken yet, made from `wish`. */
  fresh(wish: string): string;
  /** The element type of a tensor; float32 if it is not known. */
  floatType(name: string): DataType;
  /** Records the shape of a tensor that inference cannot tell; returns its name. */
  withShape(name: string, shape: Shape): string;
  /** Everything emitted so far. */
  emitted(): Emission;
}

/** Constants of more elements than this are not compared with earlier ones. */
const largestShared = 64;

/** What is known of a tensor that inference has not met. */
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

/** Adds a node with the given outputs and infers what they are. */
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

/** The type of a tensor; float32 if it is not known. */
const floatTypeOf = ({ known }: State, name: string): DataType =>
  known.get(name)?.type ?? 'float32';

/** A number of the type of a tensor, which must be a type that has the number. */
function scalar(state: State, value: number, like: string): string {
  const type = floatTypeOf(state, like);
  if (!isFloat(type) && !Number.isSafeInteger(value))
    throw new FoveaError(
      'model',
      `the tensor "${like}" has the element type ${type}, where a gradient needs the number ` +
        `${value}: expected floating-point numbers`,
    );
  return constant(state, [value], [], type);
}

function shapeOf({ known }: State, name: string): Shape {
  const shape = known.get(name)?.shape ?? null;
  if (shape === null)
    throw new FoveaError(
      'unsupported',
      `the shape of the tensor "${name}" is not known, which its gradient needs`,
    );
  return shape;
}

/** An emitter over a graph; `known` is what inference knows of the graph's tensors, and grows. */
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
