import {
  floatAttribute,
  freshNames,
  type Graph,
  type Initializer,
  initializerOf,
  type Node,
  namesOf,
  tensorNumbers,
} from '../../onnx/index.ts';
import { nodeOf, viewOf } from './pattern.ts';
import { prune } from './prune.ts';

/**
 * Scale and shift of each channel: y = x s + t with s = γ / sqrt(v + ε), t = β - m s; undefined
 * if they are no constants.
 */
export function batchNormalizationConstants(
  graph: Graph,
  node: Node,
): { scale: number[]; shift: number[] } | undefined {
  const constants = node.inputs.slice(1, 5).map((name) => graph.initializers.get(name));
  if (constants.length < 4 || constants.some((constant) => constant === undefined))
    return undefined;
  const [gamma, beta, mean, variance] = (constants as Initializer[]).map(tensorNumbers);
  const epsilon = floatAttribute(node, 'epsilon', 1e-5);
  const scale = gamma.map((value, c) => value / Math.sqrt(variance[c] + epsilon));
  return { scale, shift: beta.map((value, c) => value - mean[c] * scale[c]) };
}

/**
 * The graph with each batch normalisation that alone follows a convolution made part of it: w' = w
 * s, b' = b s + t. Relevance is propagated through one linear layer then, and not through two whose
 * biases cancel.
 */
export function foldBatchNormalization(graph: Graph, keep: ReadonlySet<string>): Graph {
  const view = viewOf(graph, keep);
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map(graph.initializers);
  const removed = new Set<Node>();
  const nodes = graph.nodes.flatMap((conv) => {
    if (conv.opType !== 'Conv' || conv.domain !== '') return [conv];
    const norm = view.onlyReader(conv.outputs[0], 'BatchNormalization');
    const weights = graph.initializers.get(conv.inputs[1]);
    const bias = conv.inputs[2] ? graph.initializers.get(conv.inputs[2]) : undefined;
    const constants = norm && batchNormalizationConstants(graph, norm);
    if (!norm || !constants || !weights || (conv.inputs[2] && !bias)) return [conv];
    const own = bias ? tensorNumbers(bias) : constants.shift.map(() => 0);
    const { scale, shift } = constants;
    const [w, s, b] = ['weights', 'scale', 'bias'].map((part) =>
      fresh(`${conv.outputs[0]}/folded_${part}`),
    );
    const shape = [scale.length, ...weights.dims.slice(1).map(() => 1)];
    initializers.set(s, initializerOf(s, weights.type, shape, scale));
    initializers.set(
      b,
      initializerOf(
        b,
        weights.type,
        [scale.length],
        own.map((value, c) => value * scale[c] + shift[c]),
      ),
    );
    removed.add(norm);
    return [
      nodeOf('Mul', [conv.inputs[1], s], [w]),
      { ...conv, inputs: [conv.inputs[0], w, b], outputs: [norm.outputs[0]] },
    ];
  });
  return removed.size === 0
    ? graph
    : prune({ ...graph, nodes: nodes.filter((node) => !removed.has(node)), initializers });
}
