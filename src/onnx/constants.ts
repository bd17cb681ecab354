import type { Graph } from './graph.ts';
import { tensorNumbers } from './initializer.ts';

/** The constant behind a tensor name, as numbers; undefined if it is none. */
export function constantOf(graph: Graph, name: string): number[] | undefined {
  const initializer = graph.initializers.get(name);
  if (initializer) return tensorNumbers(initializer);
  const node = graph.nodes.find(
    (candidate) => candidate.outputs[0] === name && candidate.opType === 'Constant',
  );
  const value = node?.attributes.get('value');
  return value?.type === 'tensor' ? tensorNumbers(value.value) : undefined;
}
