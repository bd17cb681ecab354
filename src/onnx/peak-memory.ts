import { byteSize } from './data-types.ts';
import { type Graph, nodeInputs, type TensorType } from './graph.ts';

/**
 * Bytes of a tensor for one picture. Open dimensions count as 1, and tensors of unknown shape as 0
 * bytes.
 */
function bytesOf(type: TensorType | undefined): number {
  if (!type?.shape) return 0;
  const elements = type.shape.reduce<number>(
    (product, dim) => product * (typeof dim === 'number' ? dim : 1),
    1,
  );
  return elements * (type.type === null ? 4 : (byteSize(type.type) ?? 4));
}

/**
 * The largest number of bytes of activations that exist at the same time when a graph runs on one
 * picture. Each tensor is freed after its last consumer. Memory that the runtime needs for its own
 * buffers is not included.
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
