import { batchNormalizationConstants } from '../autodiff/index.ts';
import { type Graph, inferShapes, type Node, producersOf, tensorNumbers } from '../onnx/index.ts';
import type { LayerBias } from './model.ts';

/** The initializer behind a name, through nodes that only pass it on. */
function constantNumbers(graph: Graph, producers: ReadonlyMap<string, Node>, name: string | undefined): number[] | undefined {
  const maker = producers.get(name ?? '');
  if (maker?.opType === 'Identity' || maker?.opType === 'Cast') return constantNumbers(graph, producers, maker.inputs[0]);
  const initializer = graph.initializers.get(name ?? '');
  return initializer && tensorNumbers(initializer);
}

/** The bias that a node adds to each channel of its output, if it adds one; `channels` is the number of those. */
function biasOf(graph: Graph, producers: ReadonlyMap<string, Node>, node: Node, channels: number): number[] | undefined {
  if (node.opType === 'Conv' || node.opType === 'ConvTranspose') return constantNumbers(graph, producers, node.inputs[2]);
  if (node.opType === 'BatchNormalization') return batchNormalizationConstants(graph, node)?.shift;
  if (node.opType === 'LayerNormalization') return constantNumbers(graph, producers, node.inputs[2]);
  if (node.opType !== 'Add') return undefined;
  const added = node.inputs.map((name) => constantNumbers(graph, producers, name)).find((values) => values !== undefined);
  return added?.length === channels ? added : undefined;
}

/**
 * The biases of a network that are added to maps [n, channels, height, width] or to tokens [n, tokens, channels]: of
 * convolutions, of normalisations, and those that are added to matrix products.
 */
export function findBiases(graph: Graph): LayerBias[] {
  const types = inferShapes(graph);
  const producers = producersOf(graph);
  return graph.nodes.flatMap((node) => {
    const shape = types.get(node.outputs[0])?.shape;
    const channels = shape?.length === 4 ? shape[1] : shape?.length === 3 ? shape[2] : undefined;
    if (typeof channels !== 'number' || node.domain !== '') return [];
    const bias = biasOf(graph, producers, node, channels);
    return bias?.length === channels ? [{ name: node.outputs[0], bias: Float32Array.from(bias) }] : [];
  });
}
