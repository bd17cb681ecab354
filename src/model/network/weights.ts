import {
  constantAt,
  type Graph,
  type Node,
  producersOf,
  SAME_ELEMENTS,
  sourceOf,
  topologicalSort,
} from '../../onnx/index.ts';
import { ownEntry } from '../../own-entry.ts';

/**
 * The inputs of each operator that are learned weights. Constants at other inputs are shapes, axes,
 * limits or scales.
 */
const LEARNED: Readonly<Record<string, readonly number[]>> = {
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gemm: [0, 1, 2],
  MatMul: [0, 1],
  BatchNormalization: [1, 2, 3, 4],
  InstanceNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  PRelu: [1],
  Add: [0, 1],
  Mul: [0, 1],
};

/** Operators between weights and the layers that use them, as exporters write them. */
const BEFORE_LAYERS: ReadonlySet<string> = new Set([
  ...SAME_ELEMENTS,
  'Transpose',
  'DequantizeLinear',
]);

const WEIGHT_TYPES = new Set(['float32', 'float16', 'float64', 'bfloat16', 'int8', 'uint8']);

/** A node with learned weights, by its name, or by its first output if it has none. */
export interface WeightLayer {
  readonly name: string;
  /** The names of the weights: of initializers, or of outputs of Constant nodes. */
  readonly weights: readonly string[];
}

/** The name of the constant behind an input; undefined for a single number or any other tensor. */
function weightBehind(
  graph: Graph,
  producers: ReadonlyMap<string, Node>,
  input: string,
): string | undefined {
  const name = sourceOf(producers, input, BEFORE_LAYERS);
  const constant = constantAt(graph, name, producers);
  const size = constant?.dims.reduce((product, dim) => product * dim, 1) ?? 0;
  return constant && size > 1 && WEIGHT_TYPES.has(constant.type) ? name : undefined;
}

/**
 * The layers of a graph that hold learned weights, from the input to the scores. Weights that
 * several layers share belong to the last of them. Graphs inside nodes and model-local functions
 * are ignored.
 */
export function weightLayersOf(graph: Graph): readonly WeightLayer[] {
  const producers = producersOf(graph);
  const taken = new Set<string>();
  const layers = topologicalSort(graph.nodes)
    .toReversed()
    .map((node) => {
      const found = (ownEntry(LEARNED, node.opType) ?? []).flatMap(
        (position) => weightBehind(graph, producers, node.inputs[position] ?? '') ?? [],
      );
      const weights = [...new Set(found)].filter((name) => !taken.has(name));
      for (const name of weights) taken.add(name);
      return { name: node.name || (node.outputs[0] ?? ''), weights };
    });
  return layers.filter(({ weights }) => weights.length > 0).toReversed();
}
