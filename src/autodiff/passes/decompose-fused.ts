import {
  type AttributeInput,
  attributeOf,
  type DataType,
  floatAttribute,
  floatsAttribute,
  freshNames,
  type Graph,
  type Initializer,
  inferNode,
  inferTensors,
  initializerOf,
  intAttribute,
  intsAttribute,
  isFloat,
  type Node,
  namesOf,
  operatorKey,
  type Shape,
  stringAttribute,
  type TensorInfo,
  type Words,
} from '../../onnx/index.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

type Attributes = Readonly<Record<string, AttributeInput>>;

/** One fused node, and functions that emit the nodes that replace it. */
interface Fused {
  readonly node: Node;
  readonly opset: number;
  info(tensor: string): TensorInfo;
  /** Input `index`, or undefined if the node has no such input. */
  input(index: number): string | undefined;
  add(opType: string, inputs: readonly string[], attributes?: Attributes): string;
  constant(values: readonly number[], shape: readonly number[], type: DataType): string;
  /** Sets output `index` of the node to a tensor. */
  give(index: number, tensor: string): void;
}

/**
 * Emits the nodes that replace a fused node. Returns false if this form of the operator is not
 * supported; then the node stays.
 */
type Decomposition = (at: Fused) => boolean;

const swap = [0, 2, 1, 3];

function scaled(at: Fused, x: string, factor: number): string {
  return factor === 1
    ? x
    : at.add('Mul', [x, at.constant([factor], [], at.info(x).type ?? 'float32')]);
}

function reshaped(at: Fused, x: string, dims: readonly number[]): string {
  return at.add('Reshape', [x, at.constant(dims, [dims.length], 'int64')]);
}

/** The attributes of a node without those in `names` (separated by spaces). */
function without(node: Node, names: string): Attributes {
  const left = [...node.attributes].filter(([name]) => !names.split(' ').includes(name));
  return Object.fromEntries(left.map(([name, attribute]) => [name, attribute as AttributeInput]));
}

/**
 * Applies the activation of a FusedConv or FusedGemm to x. Returns undefined if it is not
 * supported.
 */
function activated(at: Fused, x: string, params: readonly number[]): string | undefined {
  const activation = stringAttribute(at.node, 'activation', '');
  const float = (value: number): AttributeInput => ({ type: 'float', value });
  if (activation === '') return x;
  if (['Relu', 'Sigmoid', 'Tanh'].includes(activation)) return at.add(activation, [x]);
  if (activation === 'LeakyRelu')
    return at.add(activation, [x], { alpha: float(params[0] ?? 0.01) });
  if (activation === 'HardSigmoid')
    return at.add(activation, [x], {
      alpha: float(params[0] ?? 0.2),
      beta: float(params[1] ?? 0.5),
    });
  const [low, high] = params;
  if (activation !== 'Clip' || low === undefined || high === undefined) return undefined;
  if (at.opset < 11) return at.add('Clip', [x], { min: float(low), max: float(high) });
  const type = at.info(x).type ?? 'float32';
  return at.add('Clip', [x, at.constant([low], [], type), at.constant([high], [], type)]);
}

/** y = activation(x * w + b + z) */
const fusedConv: Decomposition = (at) => {
  const inputs = [0, 1, 2].flatMap((index) => at.input(index) ?? []);
  const conv = at.add('Conv', inputs, without(at.node, 'activation activation_params'));
  const added = at.input(3);
  const y = activated(
    at,
    added === undefined ? conv : at.add('Add', [conv, added]),
    floatsAttribute(at.node, 'activation_params', []),
  );
  if (y !== undefined) at.give(0, y);
  return y !== undefined;
};

/** y = activation(α op(a) op(b) + β c) */
const fusedGemm: Decomposition = (at) => {
  const names = ['activation_alpha', 'activation_beta', 'activation_gamma'];
  const params = names
    .map((name) => floatAttribute(at.node, name, Number.NaN))
    .filter((value) => !Number.isNaN(value));
  const y = activated(
    at,
    at.add('Gemm', at.node.inputs, without(at.node, `activation ${names.join(' ')}`)),
    params,
  );
  if (y !== undefined) at.give(0, y);
  return y !== undefined;
};

/** y = α op(a) op(b) for each matrix of a batch. op transposes if the node says so. */
const fusedMatMul: Decomposition = (at) => {
  const operand = (index: number, letter: string): string | undefined => {
    const x = at.input(index);
    if (x === undefined) return undefined;
    const rank = at.info(x).shape?.length;
    const batch = intAttribute(at.node, `transBatch${letter}`, 0) === 1;
    const last = intAttribute(at.node, `trans${letter}`, 0) === 1;
    if (!batch && !last) return x;
    if (rank === undefined || rank < 2) return undefined;
    const front = Array.from({ length: rank - 2 }, (_, axis) => axis);
    const [rows, columns] = [batch ? 0 : rank - 2, rank - 1];
    const leading = batch ? front.map((axis) => axis + 1) : front;
    return at.add('Transpose', [x], {
      perm: [...leading, ...(last ? [columns, rows] : [rows, columns])],
    });
  };
  const [a, b] = [operand(0, 'A'), operand(1, 'B')];
  if (a === undefined || b === undefined) return false;
  at.give(0, scaled(at, at.add('MatMul', [a, b]), floatAttribute(at.node, 'alpha', 1)));
  return true;
};

/** y = LayerNormalization(x + skip + b) */
const skipLayerNormalization: Decomposition = (at) => {
  const [x, skip, gamma] = at.node.inputs;
  if (x === undefined || skip === undefined || gamma === undefined) return false;
  const simplified = at.node.opType === 'SkipSimplifiedLayerNormalization';
  const [beta, bias] = simplified ? [undefined, at.input(3)] : [at.input(3), at.input(4)];
  if ((at.node.outputs[1] ?? '') !== '' || (at.node.outputs[2] ?? '') !== '') return false;
  const sum = at.add('Add', [x, skip]);
  const total = bias === undefined ? sum : at.add('Add', [sum, bias]);
  const attributes = { axis: -1, epsilon: floatAttribute(at.node, 'epsilon', 1e-12) };
  const type = simplified ? 'SimplifiedLayerNormalization' : 'LayerNormalization';
  at.give(0, at.add(type, [total, gamma, ...(beta === undefined ? [] : [beta])], attributes));
  if ((at.node.outputs[3] ?? '') !== '') at.give(3, total);
  return true;
};

/** softmax(α q kᵀ + bias) v of [N, heads, L, size] */
function attend(
  at: Fused,
  q: string,
  k: string,
  v: string,
  scale: number,
  bias: string | undefined,
): string {
  const scores = at.add('MatMul', [
    scaled(at, q, scale),
    at.add('Transpose', [k], { perm: [0, 1, 3, 2] }),
  ]);
  const biased = bias === undefined ? scores : at.add('Add', [scores, bias]);
  // Before opset 13, Softmax merges all axes from the given axis on. With the last axis, both
  // versions compute the same.
  return at.add('MatMul', [at.add('Softmax', [biased], { axis: at.opset < 13 ? 3 : -1 }), v]);
}

const split = (at: Fused, x: string, heads: number, size: number): string =>
  at.add('Transpose', [reshaped(at, x, [0, 0, heads, size])], { perm: swap });
const joined = (at: Fused, x: string, hidden: number): string =>
  reshaped(at, at.add('Transpose', [x], { perm: swap }), [0, 0, hidden]);
const isPlain = (at: Fused, indices: readonly number[]): boolean =>
  indices.every((index) => at.input(index) === undefined);

/** The elements `start` to `end` (excluded) of a tensor along `axis`. */
function part(at: Fused, x: string, axis: number, start: number, end: number): string {
  if (at.opset < 10) return at.add('Slice', [x], { axes: [axis], starts: [start], ends: [end] });
  return at.add('Slice', [
    x,
    at.constant([start], [1], 'int64'),
    at.constant([end], [1], 'int64'),
    at.constant([axis], [1], 'int64'),
  ]);
}

/**
 * com.microsoft Attention: q, k and v are the parts of x w + b along the last axis, then attention.
 */
const attention: Decomposition = (at) => {
  const { node } = at;
  const [x, weights, bias] = [at.input(0), at.input(1), at.input(2)];
  if (x === undefined || weights === undefined) return false;
  const heads = intAttribute(node, 'num_heads', 0);
  const total = at.info(weights).shape?.[1];
  if (!isPlain(at, [3, 4, 6]) || typeof total !== 'number' || heads < 1) return false;
  if (
    intAttribute(node, 'unidirectional', 0) === 1 ||
    intAttribute(node, 'do_rotary', 0) === 1 ||
    node.outputs.length > 1
  )
    return false;
  const third = total / 3;
  const [qSize, kSize, vSize] = intsAttribute(node, 'qkv_hidden_sizes', [third, third, third]);
  if (qSize === undefined || kSize === undefined || vSize === undefined) return false;
  const product = at.add('MatMul', [x, weights]);
  const projected = bias === undefined ? product : at.add('Add', [product, bias]);
  const projection = (start: number, size: number): string =>
    split(at, part(at, projected, 2, start, start + size), heads, size / heads);
  const [q, k, v] = [
    projection(0, qSize),
    projection(qSize, kSize),
    projection(qSize + kSize, vSize),
  ];
  const scale = floatAttribute(node, 'scale', 0) || 1 / Math.sqrt(qSize / heads);
  at.give(0, joined(at, attend(at, q, k, v, scale, at.input(5)), vSize));
  return true;
};

/** A query, a key or a value, and the size of its last axis. */
interface Operand {
  readonly name: string;
  readonly shape: Shape;
  readonly size: number;
}

/** Input `index` with the size of its last axis; undefined if the size is not known. */
function operandOf(at: Fused, index: number): Operand | undefined {
  const name = at.input(index);
  if (name === undefined) return undefined;
  const { shape } = at.info(name);
  const size = shape?.at(-1);
  return shape && typeof size === 'number' ? { name, shape, size } : undefined;
}

/** com.microsoft MultiHeadAttention of query, key and value, each [N, L, hidden]. */
const multiHeadAttention: Decomposition = (at) => {
  const { node } = at;
  const heads = intAttribute(node, 'num_heads', 0);
  const [query, key, value] = [operandOf(at, 0), operandOf(at, 1), operandOf(at, 2)];
  if (!query || !key || !value) return false;
  if ([query, key, value].some(({ shape }) => shape.length !== 3)) return false;
  if (
    !isPlain(at, [4, 6, 7]) ||
    heads < 1 ||
    node.outputs.length > 1 ||
    intAttribute(node, 'unidirectional', 0) === 1
  )
    return false;
  const bias = at.input(3);
  const projection = ({ name, size }: Operand, start: number): string => {
    const own =
      bias === undefined ? name : at.add('Add', [name, part(at, bias, 0, start, start + size)]);
    return split(at, own, heads, size / heads);
  };
  const [q, k, v] = [
    projection(query, 0),
    projection(key, query.size),
    projection(value, query.size + key.size),
  ];
  const scale = floatAttribute(node, 'scale', 0) || 1 / Math.sqrt(query.size / heads);
  at.give(0, joined(at, attend(at, q, k, v, scale, at.input(5)), value.size));
  return true;
};

/**
 * Attention of opset 23 for inputs [N, heads, L, size] or [N, L, heads * size]. Keys must have as
 * many heads as queries.
 */
const standardAttention: Decomposition = (at) => {
  const { node } = at;
  const [query, key, value] = [operandOf(at, 0), operandOf(at, 1), operandOf(at, 2)];
  const heads = intAttribute(node, 'q_num_heads', 0);
  if (!query || !key || !value || heads !== intAttribute(node, 'kv_num_heads', 0)) return false;
  if (!isPlain(at, [4, 5]) || node.outputs.length > 1) return false;
  const flat = query.shape.length === 3;
  if (!flat && query.shape[1] !== key.shape[1]) return false;
  if (
    intAttribute(node, 'is_causal', 0) === 1 ||
    floatAttribute(node, 'softcap', 0) !== 0 ||
    at.info(at.input(3) ?? '').type === 'bool'
  )
    return false;
  const headsOf = ({ name, size }: Operand): string =>
    flat ? split(at, name, heads, size / heads) : name;
  const [q, k, v] = [headsOf(query), headsOf(key), headsOf(value)];
  const width = flat ? query.size / heads : query.size;
  const scale = floatAttribute(node, 'scale', 0) || 1 / Math.sqrt(width);
  const y = attend(at, q, k, v, scale, at.input(3));
  at.give(0, flat ? joined(at, y, value.size) : y);
  return true;
};

const decompositions: ReadonlyMap<string, Decomposition> = new Map(
  Object.entries({
    'com.microsoft:FusedConv': fusedConv,
    'com.microsoft:FusedGemm': fusedGemm,
    'com.microsoft:FusedMatMul': fusedMatMul,
    'com.microsoft:TransposeMatMul': fusedMatMul,
    'com.microsoft:SkipLayerNormalization': skipLayerNormalization,
    'com.microsoft:SkipSimplifiedLayerNormalization': skipLayerNormalization,
    'com.microsoft:Attention': attention,
    'com.microsoft:MultiHeadAttention': multiHeadAttention,
    Attention: standardAttention,
  } satisfies Record<Words<typeof TRIGGERS.fused>, Decomposition>),
);

/**
 * Replaces operators that exporters and optimisers have fused by the operators that they consist
 * of. Unsupported forms stay. The returned graph computes the same outputs.
 */
export function decomposeFused(
  graph: Graph,
  inputShapes: Readonly<Record<string, Shape>> = {},
): Graph {
  if (!hasAny(graph, TRIGGERS.fused)) return graph;
  const known = inferTensors(graph, { inputs: inputShapes });
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map<string, Initializer>(graph.initializers);
  const nodes = graph.nodes.flatMap((node) => {
    const decompose = decompositions.get(operatorKey(node));
    const made: Node[] = [];
    // The constants that are emitted have the element type of the node's input.
    if (!isFloat(known.get(node.inputs[0] ?? '')?.type ?? 'float32')) return [node];
    return decompose?.(fusedNode(graph, node, { known, fresh, initializers, made }))
      ? made
      : [node];
  });
  return { ...graph, nodes, initializers };
}

interface Workshop {
  readonly known: Map<string, TensorInfo>;
  readonly fresh: (wish: string) => string;
  readonly initializers: Map<string, Initializer>;
  readonly made: Node[];
}

function fusedNode(
  graph: Graph,
  node: Node,
  { known, fresh, initializers, made }: Workshop,
): Fused {
  const opset = graph.opset.get('') ?? 1;
  const unknown: TensorInfo = { type: null, shape: null, value: null };
  const emit = (
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Attributes = {},
  ): string => {
    const entries = Object.entries(attributes).map(
      ([name, value]) => [name, attributeOf(name, value)] as const,
    );
    const part: Node = {
      name: output,
      opType,
      domain: '',
      inputs,
      outputs: [output],
      attributes: new Map(entries),
      otherFields: [],
    };
    made.push(part);
    known.set(output, inferNode(known, graph, part)[0] ?? unknown);
    return output;
  };
  return {
    node,
    opset,
    info: (tensor) => known.get(tensor) ?? unknown,
    input: (index) => node.inputs[index] || undefined,
    add: (opType, inputs, attributes) =>
      emit(opType, inputs, fresh(`${node.outputs[0]}/${opType}`), attributes),
    constant(values, shape, type) {
      const name = fresh(`${node.outputs[0]}/constant`);
      initializers.set(name, initializerOf(name, type, shape, values));
      known.set(name, { type, shape, value: values });
      return name;
    },
    give(index, tensor) {
      const output = node.outputs[index];
      if (output !== undefined) emit('Identity', [tensor], output);
    },
  };
}
