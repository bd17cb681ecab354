import { batchNormalizationConstants } from '../../autodiff/index.ts';
import {
  constantAt,
  type Graph,
  inferShapes,
  type Node,
  producersOf,
  SAME_VALUES,
  sourceOf,
  tensorNumbers,
} from '../../onnx/index.ts';
import type { LayerBias } from '../model.ts';

/**
 * The numbers of the constant that an input is, maybe after a copy or a cast. A single number is
 * not a bias: the ε of a normalization, the 1 of an activation.
 */
function constantNumbers(
  graph: Graph,
  producers: ReadonlyMap<string, Node>,
  name: string | undefined,
): number[] | undefined {
  if (name === undefined) return undefined;
  const constant = constantAt(graph, sourceOf(producers, name, SAME_VALUES), producers);
  return constant && constant.dims.length > 0 ? tensorNumbers(constant) : undefined;
}

/** A bias, and the axis of the channels in what it is added to. */
interface Added {
  readonly bias: readonly number[] | undefined;
  readonly axis: number;
}

/**
 * The bias that a node adds to its output, if it adds one: along axis 1 of maps, along the last of
 * tokens and where it broadcasts.
 */
function biasOf(graph: Graph, producers: ReadonlyMap<string, Node>, node: Node): Added | undefined {
  const { opType, inputs } = node;
  if (opType === 'Conv' || opType === 'ConvTranspose')
    return { bias: constantNumbers(graph, producers, inputs[2]), axis: 1 };
  if (opType === 'BatchNormalization')
    return { bias: batchNormalizationConstants(graph, node)?.shift, axis: 1 };
  if (opType === 'LayerNormalization')
    return { bias: constantNumbers(graph, producers, inputs[2]), axis: -1 };
  if (opType !== 'Add') return undefined;
  return {
    bias: inputs
      .map((name) => constantNumbers(graph, producers, name))
      .find((values) => values !== undefined),
    axis: -1,
  };
}

/**
 * The biases of a network that are added to maps [n, channels, height, width] or [n, height, width,
 * channels] or to tokens [n, tokens, channels]: of convolutions, of normalisations, and those that
 * are added to matrix products. Tensors whose first axis is another than that of the tensor `input`
 * are left out: windows of a transformer, tokens that stand before pictures.
 */
export function findBiases(graph: Graph, input: string): LayerBias[] {
  const types = inferShapes(graph);
  const producers = producersOf(graph);
  const batch = types.get(input)?.shape?.[0];
  return graph.nodes.flatMap((node) => {
    const [name = ''] = node.outputs;
    const shape = types.get(name)?.shape ?? [];
    if (shape[0] !== batch || shape.length < 3 || shape.length > 4 || node.domain !== '') return [];
    const { bias, axis = 0 } = biasOf(graph, producers, node) ?? {};
    return bias && bias.length === shape.at(axis) ? [{ name, bias: Float32Array.from(bias) }] : [];
  });
}
