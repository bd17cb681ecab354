import type { Graph } from '../../onnx/index.ts';

/** Operator set 16 is the first in which scattered elements that meet are added up. */
const raised = 16;

/**
 * Since operator set 13 no operator that was there has changed its meaning up to 16: a graph in
 * between may say 16.
 */
const oldest = 13;

/**
 * The graph in operator set 16 where it is in one from which nothing has changed, else as it is.
 */
export function raiseOpset(graph: Graph): Graph {
  const version = graph.opset.get('') ?? 1;
  return version >= oldest && version < raised
    ? { ...graph, opset: new Map([...graph.opset, ['', raised]]) }
    : graph;
}
