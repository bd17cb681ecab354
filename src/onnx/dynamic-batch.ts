import { constantOf } from './constants.ts';
import { type Graph, type Node, producersOf } from './graph.ts';
import { initializerOf } from './initializer.ts';

/**
 * A target shape that starts with the fixed batch, with the batch left open: -1 if no other axis
 * is, else 0 (copied).
 */
function openShape(shape: readonly number[], batch: number): number[] | undefined {
  if (shape.length < 2 || shape[0] !== batch) return undefined;
  return [shape.includes(-1) ? 0 : -1, ...shape.slice(1)];
}

/**
 * A graph exported with a fixed batch, with that dimension made dynamic: its inputs and outputs,
 * and the constant shapes of Reshape nodes that begin with it. A guess, since a 1 may mean
 * something else: the caller must verify that pictures in a batch get the scores they get alone.
 */
export function withDynamicBatch(graph: Graph, batch: number): Graph {
  const initializers = new Map(graph.initializers);
  const producers = producersOf(graph);
  const nodes = graph.nodes.map((node): Node => {
    if (node.opType !== 'Reshape') return node;
    const shape = constantOf(graph, node.inputs[1] ?? '', producers);
    const open = shape && openShape(shape, batch);
    if (!open) return node;
    const [data = '', output = ''] = [node.inputs[0], node.outputs[0]];
    const name = `${output}/dynamic-shape`;
    initializers.set(name, initializerOf(name, 'int64', [open.length], open));
    return { ...node, inputs: [data, name] };
  });
  const free = <T extends { shape: Graph['inputs'][number]['shape'] }>(info: T): T =>
    info.shape && info.shape[0] === batch
      ? { ...info, shape: ['n', ...info.shape.slice(1)] }
      : info;
  // Declared types of intermediate tensors still say the old batch: they are dropped, the runtime
  // infers them again.
  return {
    ...graph,
    nodes,
    initializers,
    inputs: graph.inputs.map(free),
    outputs: graph.outputs.map(free),
    valueInfo: new Map(),
  };
}
