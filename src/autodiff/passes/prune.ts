import { type Graph, type Node, nodeInputs } from '../../onnx/index.ts';

/** Removes the nodes and initializers that no output needs. The inputs and outputs stay. */
export function prune(graph: Graph): Graph {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) producers.set(name, node);
  const used = new Set(graph.outputs.map((output) => output.name));
  const kept = new Set<Node>();
  const open = [...used];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = producers.get(name);
    if (node === undefined || kept.has(node)) continue;
    kept.add(node);
    for (const input of nodeInputs(node)) {
      used.add(input);
      open.push(input);
    }
  }
  const isUsed = ([name]: readonly [string, unknown]): boolean => used.has(name);
  return {
    ...graph,
    nodes: graph.nodes.filter((node) => kept.has(node)),
    initializers: new Map([...graph.initializers].filter(isUsed)),
    sparseInitializers: new Map([...graph.sparseInitializers].filter(isUsed)),
    valueInfo: new Map([...graph.valueInfo].filter(isUsed)),
    quantizationAnnotations: graph.quantizationAnnotations.filter(({ tensorName }) =>
      used.has(tensorName),
    ),
  };
}
