import { FoveaError } from '../../errors.ts';
import {
  constantAt,
  type Graph,
  type Initializer,
  initializerOf,
  producersOf,
  tensorValues,
} from '../../onnx/index.ts';
import type { Random } from '../../tensor/random.ts';
import { weightLayersOf } from './weights.ts';

/** The same tensor with its elements in random order. */
function redrawn(constant: Initializer, random: Random): Initializer {
  // A copy, because the values may be a view of the file.
  const values = (tensorValues(constant) as Float32Array).slice();
  return initializerOf(constant.name, constant.type, constant.dims, random.shuffle(values));
}

/**
 * The graph with the weights of `layers` drawn anew: each tensor gets its own values in random
 * order. So what was learned is gone, while the scale of every layer, the sign of variances and the
 * element type stay, and the network neither dies nor overflows. A tensor's draw depends on
 * `random` and its name alone, not on the other layers.
 * @throws FoveaError `usage` for a layer that the graph does not have.
 */
export function withRandomWeights(graph: Graph, layers: readonly string[], random: Random): Graph {
  const known = new Map(weightLayersOf(graph).map((layer) => [layer.name, layer]));
  const producers = producersOf(graph);
  const initializers = new Map(graph.initializers);
  const replaced = new Set<string>();
  for (const name of layers) {
    const layer = known.get(name);
    if (!layer)
      throw new FoveaError(
        'usage',
        `no layer "${name}" holds weights: expected one of ${[...known.keys()].join(', ')}`,
      );
    for (const weight of layer.weights) {
      const constant = constantAt(graph, weight, producers);
      if (constant) initializers.set(weight, redrawn(constant, random.fork(weight)));
      replaced.add(weight);
    }
  }
  const nodes = graph.nodes.filter(
    (node) => !(node.opType === 'Constant' && node.outputs.some((name) => replaced.has(name))),
  );
  return { ...graph, nodes, initializers };
}
