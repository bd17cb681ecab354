import {
  type Graph,
  inferTensors,
  type Node,
  nodeInputs,
  type TensorInfo,
  type TensorType,
  topologicalSort,
} from '../../onnx/index.ts';
import type { ClassifierInput } from '../classifier/find-io.ts';
import type { FeatureMap } from '../model.ts';

/**
 * How many prefix tokens (class, distillation and register tokens) come before the patches in known
 * architectures.
 */
const TOKEN_PREFIXES = [0, 1, 2, 4, 5, 8, 9];
/** The largest of these numbers. */
export const MOST_PREFIX = Math.max(...TOKEN_PREFIXES);
/** How many times a transformer halves its patch grid at most. */
const HALVINGS = 4;

/** Operators that multiply by learned weights. */
const WEIGHTED = new Set([
  'Conv',
  'ConvTranspose',
  'Gemm',
  'MatMul',
  'Einsum',
  'ConvInteger',
  'MatMulInteger',
  'QLinearConv',
  'QLinearMatMul',
  'FusedConv',
  'FusedGemm',
  'FusedMatMul',
  'Attention',
]);
/** Those of them that also multiply tokens by tokens. */
const PRODUCTS = new Set(['MatMul', 'Einsum', 'FusedMatMul']);
/** Operators whose result does not depend on the contents of the input image. */
const SHAPES = new Set(['Shape', 'Size']);

/**
 * Whether a map has the picture's aspect ratio, within one cell. This distinguishes maps from
 * channel-last tensors.
 */
export function hasAspect(
  height: number,
  width: number,
  picture: { readonly height: number; readonly width: number },
): boolean {
  return (
    height > 1 &&
    width > 1 &&
    Math.abs(height * picture.width - width * picture.height) <=
      Math.max(picture.width, picture.height)
  );
}

/** Facts about the tensors of a network. */
interface Flow {
  readonly nodes: readonly Node[];
  readonly known: ReadonlyMap<string, TensorInfo>;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  /** Tensors that depend on the input image. */
  readonly dependent: ReadonlySet<string>;
  /**
   * Attention, its queries, keys and values, and all tensors computed from them before the next
   * learned weights.
   */
  readonly mixed: ReadonlySet<string>;
}

/** Whether a node multiplies tokens by tokens, as attention does. */
const isProduct = ({ opType, inputs }: Node, dependent: ReadonlySet<string>): boolean =>
  opType === 'Attention' ||
  (PRODUCTS.has(opType) && inputs.filter((name) => dependent.has(name)).length > 1);

function readersOf(nodes: readonly Node[]): Map<string, Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of nodes)
    for (const name of nodeInputs(node)) readers.set(name, [...(readers.get(name) ?? []), node]);
  return readers;
}

function flowOf(graph: Graph, types: ReadonlyMap<string, TensorType>, input: string): Flow {
  const nodes = topologicalSort(graph.nodes);
  const dependent = new Set([input]);
  const mixed = new Set<string>();
  for (const node of nodes) {
    const from = nodeInputs(node).filter((name) => dependent.has(name));
    if (from.length === 0 || SHAPES.has(node.opType)) continue;
    for (const output of node.outputs) dependent.add(output);
    const carried = !WEIGHTED.has(node.opType) && from.some((name) => mixed.has(name));
    if (isProduct(node, dependent) || carried) for (const output of node.outputs) mixed.add(output);
  }
  const readers = readersOf(nodes);
  for (const node of nodes.toReversed()) {
    const intoProducts = (name: string): boolean => {
      const all = (readers.get(name) ?? []).filter(({ opType }) => !SHAPES.has(opType));
      return (
        all.length > 0 &&
        all.every((reader) =>
          WEIGHTED.has(reader.opType)
            ? isProduct(reader, dependent)
            : reader.outputs.every((out) => mixed.has(out)),
        )
      );
    };
    for (const output of node.outputs) if (intoProducts(output)) mixed.add(output);
  }
  return { nodes, known: inferTensors(graph), types, readers, dependent, mixed };
}

const shapeOf = ({ types }: Flow, name: string): TensorType['shape'] | undefined =>
  types.get(name)?.shape;

/**
 * Tensors that are followed by weights. If the classifier is a convolution, maps that are not
 * followed by weights are the class scores of each cell.
 */
function beforeWeights({ nodes }: Flow): Set<string> {
  const reached = new Set<string>();
  for (const node of nodes.toReversed()) {
    if (!WEIGHTED.has(node.opType) && !node.outputs.some((name) => reached.has(name))) continue;
    for (const name of nodeInputs(node)) reached.add(name);
  }
  return reached;
}

/** The tokens that a node selects, if all of them are prefix tokens, as in `x[:, 0]`. */
function pickedTokens(flow: Flow, node: Node): readonly number[] | undefined {
  const shape = shapeOf(flow, node.inputs[0] ?? '');
  const length = shape?.[1];
  if (shape?.length !== 3 || typeof length !== 'number') return undefined;
  const numbers = (index: number): readonly number[] =>
    flow.known.get(node.inputs[index] ?? '')?.value?.map(Number) ?? [];
  if (node.opType === 'Gather') {
    const axis = node.attributes.get('axis');
    const indices = numbers(1);
    const areFirst =
      indices.length > 0 &&
      indices.every((index) => index >= 0 && index < MOST_PREFIX && index < length - 1);
    return axis?.type === 'int' && Number(axis.value) === 1 && areFirst ? indices : undefined;
  }
  if (node.opType !== 'Slice' || node.inputs.length < 4) return undefined;
  const [end = 0] = numbers(2);
  return numbers(3)[0] === 1 && numbers(1)[0] === 0 && end > 0 && end <= MOST_PREFIX
    ? Array.from({ length: end }, (_, i) => i)
    : undefined;
}

/** Which tensors and tokens can affect the outputs. */
interface Reach {
  /** Tensors that affect the outputs. */
  readonly reached: ReadonlySet<string>;
  /**
   * Tensors whose patches affect the outputs. After the last attention of a transformer that
   * classifies from its class token, only that token does.
   */
  readonly live: ReadonlySet<string>;
  /** Prefix tokens that are taken from a tensor one by one, without attention in between. */
  readonly picked: ReadonlyMap<string, ReadonlySet<number>>;
}

function reachOf(flow: Flow, graph: Graph): Reach {
  const reached = new Set(graph.outputs.map(({ name }) => name));
  const live = new Set(reached);
  const picked = new Map<string, ReadonlySet<number>>();
  for (const node of flow.nodes.toReversed()) {
    if (!node.outputs.some((name) => reached.has(name))) continue;
    const mixes = isProduct(node, flow.dependent);
    const own = pickedTokens(flow, node);
    const patches = own === undefined && (mixes || node.outputs.some((name) => live.has(name)));
    const tokens =
      own ?? (mixes ? [] : node.outputs.flatMap((name) => [...(picked.get(name) ?? [])]));
    for (const name of nodeInputs(node)) {
      reached.add(name);
      if (patches) live.add(name);
      if (tokens.length > 0) picked.set(name, new Set([...(picked.get(name) ?? []), ...tokens]));
    }
  }
  return { reached, live, picked };
}

/** Whether the patches of a tensor affect the outputs, and which single prefix tokens do. */
export function liveTokens(graph: Graph, types: ReadonlyMap<string, TensorType>, input: string) {
  const { live, picked } = reachOf(flowOf(graph, types, input), graph);
  return (tensor: string): { readonly patches: boolean; readonly picked: readonly number[] } => ({
    patches: live.has(tensor),
    picked: [...(picked.get(tensor) ?? [])].sort((a, b) => a - b),
  });
}

/**
 * Tensors that every path from the input image to the outputs passes through: the stream of a
 * transformer, not the steps within a block.
 */
function bottlenecks(
  { nodes, dependent, readers }: Flow,
  input: string,
  reached: ReadonlySet<string>,
): Set<string> {
  const position = new Map(nodes.map((node, i) => [node, i]));
  const found = new Set<string>();
  const lastReader = (name: string): number => {
    const relevant = (readers.get(name) ?? []).filter(({ outputs }) =>
      outputs.some((each) => dependent.has(each) && reached.has(each)),
    );
    return Math.max(-1, ...relevant.map((reader) => position.get(reader) ?? -1));
  };
  let open = lastReader(input); // the last node that reads a tensor from before the current node
  for (const [i, node] of nodes.entries()) {
    const outputs = node.outputs.filter((name) => dependent.has(name) && reached.has(name));
    const [only] = outputs;
    if (open <= i && only !== undefined && outputs.length === 1) found.add(only);
    for (const name of outputs) open = Math.max(open, lastReader(name));
  }
  return found;
}

/**
 * The grids that a sequence of tokens or a channel-last map can have: those of the maps before it,
 * halved up to `HALVINGS` times.
 */
function gridsAfter(
  maps: Iterable<FeatureMap>,
): { readonly height: number; readonly width: number; readonly halvings: number }[] {
  return [...maps].flatMap(({ height, width }) =>
    Array.from({ length: HALVINGS + 1 }, (_, halvings) => ({
      height: Math.ceil(height / 2 ** halvings),
      width: Math.ceil(width / 2 ** halvings),
      halvings,
    })),
  );
}

/** A tensor as a map of the input image, if it can be one; `before` are the maps found earlier. */
function asMap(
  flow: Flow,
  name: string,
  stream: ReadonlySet<string>,
  input: ClassifierInput,
  before: Iterable<FeatureMap>,
): FeatureMap | undefined {
  const { type, shape } = flow.types.get(name) ?? { type: null, shape: null };
  if (
    !shape ||
    (type !== 'float32' && type !== 'float16') ||
    shape[0] !== shapeOf(flow, input.name)?.[0] ||
    flow.mixed.has(name)
  )
    return undefined;
  const rest = shape.slice(1).filter((dim) => typeof dim === 'number');
  if (rest.length < shape.length - 1) return undefined;
  const [a = 0, b = 0, c = 0] = rest;
  if (rest.length === 3 && hasAspect(b, c, input)) {
    return b * c < input.height * input.width
      ? { name, layout: 'channels-first', channels: a, height: b, width: c, prefix: 0 }
      : undefined;
  }
  if (rest.length < 2 || rest.length > 3 || !stream.has(name)) return undefined;
  for (const { height, width, halvings } of gridsAfter(before)) {
    if (height * width === 1) continue;
    if (rest.length === 3 && a === height && b === width)
      return { name, layout: 'channels-last', channels: c, height, width, prefix: 0 };
    const prefix = a - height * width;
    // Prefix tokens are added at the start of a network, not after its grid was halved.
    if (rest.length === 2 && (halvings === 0 ? TOKEN_PREFIXES.includes(prefix) : prefix === 0)) {
      return { name, layout: 'tokens', channels: b, height, width, prefix };
    }
  }
  return undefined;
}

function mapsAmong(
  flow: Flow,
  stream: ReadonlySet<string>,
  input: ClassifierInput,
  eligible: (name: string) => boolean,
): FeatureMap[] {
  const byResolution = new Map<string, FeatureMap>();
  for (const node of flow.nodes) {
    for (const name of node.outputs) {
      const map =
        node.opType !== 'Pad' && eligible(name)
          ? asMap(flow, name, stream, input, byResolution.values())
          : undefined;
      if (map) byResolution.set(`${map.height}x${map.width}`, map);
    }
  }
  return [...byResolution.values()].sort((x, y) => y.height * y.width - x.height * x.width);
}

/**
 * The feature maps of a network, fine to coarse: at each resolution the last tensor that holds the
 * cells of the input image and affects the scores. Maps are [n, channels, height, width] in
 * convolutional networks, and [n, height, width, channels] or token sequences [n, tokens, channels]
 * in transformers. Two kinds are left out unless there are no others: maps of class scores, which
 * no weights follow, and the patches after the last attention of a transformer that classifies from
 * its class token. A map of a transformer is a tensor that every path passes through, so that the
 * network can be cut there.
 */
export function findFeatureMaps(
  graph: Graph,
  types: ReadonlyMap<string, TensorType>,
  input: ClassifierInput,
): FeatureMap[] {
  const flow = flowOf(graph, types, input.name);
  const followed = beforeWeights(flow);
  const { reached, live } = reachOf(flow, graph);
  const stream = bottlenecks(flow, input.name, reached);
  const eligible = (name: string) => flow.dependent.has(name) && live.has(name);
  const maps = mapsAmong(flow, stream, input, (name) => eligible(name) && followed.has(name));
  return maps.length > 0 ? maps : mapsAmong(flow, stream, input, eligible);
}
