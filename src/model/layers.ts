import { type Graph, producersOf, type TensorType, topologicalSort } from '../onnx/index.ts';
import type { ClassifierInput } from './classifier-graph.ts';
import type { FeatureMap } from './model.ts';

/** Numbers of class, distillation and register tokens that stand before the patches in known architectures. */
const TOKEN_PREFIXES = [0, 1, 2, 5];

const sizes = (type: TensorType | undefined): number[] | undefined => {
  if (!type?.shape || (type.type !== 'float32' && type.type !== 'float16')) return undefined;
  const rest = type.shape.slice(1);
  return rest.every((dim) => typeof dim === 'number') ? (rest as number[]) : undefined;
};

/** Whether a map has the picture's aspect ratio, to a cell; tells channel-last tensors from maps. */
function fits(height: number, width: number, input: ClassifierInput): boolean {
  return height > 1 && width > 1 && Math.abs(height * input.width - width * input.height) <= Math.max(input.width, input.height);
}

/** Tensors that hang on the input: constants have no picture in them. */
function dependsOn(graph: Graph, input: string): Set<string> {
  const reached = new Set([input]);
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => reached.has(name))) for (const output of node.outputs) reached.add(output);
  }
  return reached;
}

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
]);

/** Tensors with weights after them; maps without are the class scores of each cell, where the classifier is a convolution. */
function beforeWeights(graph: Graph): Set<string> {
  const reached = new Set<string>();
  for (const node of topologicalSort(graph.nodes).toReversed()) {
    if (!WEIGHTED.has(node.opType) && !node.outputs.some((name) => reached.has(name))) continue;
    for (const name of node.inputs) reached.add(name);
  }
  return reached;
}

/**
 * The feature maps of a network: of all tensors [n, channels, height, width] between the picture and the scores, the
 * last one at each resolution, fine to coarse; then the last token sequence of a transformer on its patch grid. Maps of
 * class scores, which no weights follow, are left out unless there are no others.
 */
export function findFeatureMaps(graph: Graph, types: ReadonlyMap<string, TensorType>, input: ClassifierInput): FeatureMap[] {
  const reached = dependsOn(graph, input.name);
  const followed = beforeWeights(graph);
  const maps = mapsAmong(graph, types, input, new Set([...reached].filter((name) => followed.has(name))));
  return maps.length > 0 ? maps : mapsAmong(graph, types, input, reached);
}

function mapsAmong(graph: Graph, types: ReadonlyMap<string, TensorType>, input: ClassifierInput, reached: ReadonlySet<string>): FeatureMap[] {
  const producers = producersOf(graph);
  const byResolution = new Map<string, FeatureMap>();
  let tokens: FeatureMap | undefined;
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const shape = reached.has(name) && producers.has(name) ? sizes(types.get(name)) : undefined;
      if (shape?.length === 3 && fits(shape[1], shape[2], input) && shape[1] * shape[2] < input.height * input.width) {
        const [channels, height, width] = shape;
        byResolution.set(`${height}x${width}`, { name, channels, height, width });
      }
      if (shape?.length === 2) tokens = tokenMap(name, shape, [...byResolution.values()]) ?? tokens;
    }
  }
  const maps = [...byResolution.values()].sort((a, b) => b.height * b.width - a.height * a.width);
  return tokens ? [...maps, tokens] : maps;
}

/** A sequence [tokens, channels] as a map, if it has the cells of the patch embedding, with or without extra tokens. */
function tokenMap(name: string, [length, channels]: number[], maps: readonly FeatureMap[]): FeatureMap | undefined {
  const patches = maps.find((map) => map.channels === channels && TOKEN_PREFIXES.includes(length - map.height * map.width));
  if (!patches) return undefined;
  const { height, width } = patches;
  return { name, channels, height, width, tokens: { prefix: length - height * width } };
}
