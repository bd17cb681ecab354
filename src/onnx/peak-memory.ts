import { byteSize } from './data-types.ts';
import { type Graph, nodeInputs, type TensorType } from './graph.ts';

/** Bytes of a tensor for one picture; open dimensions count as 1, unknown tensors as 0. */
function bytesOf(type: TensorType | undefined): number {
  if (!type?.shape) return 0;
  const elements = type.shape.reduce<number>(
    (product, dim) => product * (typeof dim === 'number' ? dim : 1),
    1,
  );
  return elements * (type.type === null ? 4 : (byteSize(type.type) ?? 4));
}

/**
 * The most bytes of activations that are alive at once when one picture goes through a graph, each
 * tensor freed after its last reader. What the runtime needs for its own scratch space comes on
 * top.
 */
export function peakActivationBytes(graph: Graph, types: ReadonlyMap<string, TensorType>): number {
  const lastReader = new Map<string, number>();
  graph.nodes.forEach((node, i) => {
    for (const input of nodeInputs(node)) lastReader.set(input, i);
  });
  for (const output of graph.outputs) lastReader.set(output.name, graph.nodes.length);
  const alive = new Map<string, number>();
  let [live, peak] = [0, 0];
  graph.nodes.forEach((node, i) => {
    for (const output of node.outputs) {
      const bytes = bytesOf(types.get(output));
      alive.set(output, bytes);
      live += bytes;
    }
    peak = Math.max(peak, live);
    for (const name of new Set([...nodeInputs(node), ...node.outputs])) {
      if ((lastReader.get(name) ?? i) > i || !alive.has(name)) continue;
      live -= alive.get(name) ?? 0;
      alive.delete(name);
    }
  });
  return peak;
}
