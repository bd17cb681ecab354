import type { Graph } from '../../onnx/index.ts';

/**
 * Opset 16 is the first one in which ScatterElements and ScatterND can add values
 * (`reduction=add`).
 */
const raised = 16;

/**
 * No operator changed semantics between opsets 13 and 16, so the graph can be relabelled as 16.
 */
const oldest = 13;

/** Relabels a graph of opset 13 to 15 as opset 16. Returns any other graph unchanged. */
export function raiseOpset(graph: Graph): Graph {
  const version = graph.opset.get('') ?? 1;
  return version >= oldest && version < raised
    ? { ...graph, opset: new Map([...graph.opset, ['', raised]]) }
    : graph;
}
