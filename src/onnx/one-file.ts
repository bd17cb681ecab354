import { type Graph, nestedGraphs } from './graph.ts';
import type { Initializer } from './initializer.ts';

const isExternal = ({ data }: Initializer): boolean => data.kind === 'external';

/** Whether all weights of a graph are in the model file itself, so that it has no external data. */
export function isOneFile({ initializers, nodes }: Graph): boolean {
  return (
    ![...initializers.values()].some(isExternal) &&
    nodes.every(
      (node) =>
        nestedGraphs(node).every(isOneFile) &&
        [...node.attributes.values()].every(
          ({ type, value }) =>
            !(type === 'tensor' && isExternal(value)) &&
            !(type === 'tensors' && value.some(isExternal)),
        ),
    )
  );
}
