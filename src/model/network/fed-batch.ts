import {
  type Graph,
  graphBuilder,
  inferTensors,
  type Node,
  opsetOf,
  type TensorType,
} from '../../onnx/index.ts';

/**
 * The graph for a cut at the tensor `start`, with the batch size that it reads from its pictures,
 * for example to repeat a class token, read from `start` instead. The part after the cut needs no
 * pictures then.
 * @param types - the inferred tensors of the graph
 */
export function withFedBatch(
  graph: Graph,
  start: string,
  types: ReadonlyMap<string, TensorType>,
): Graph {
  const batch = types.get(start)?.shape?.[0];
  if (typeof batch !== 'string') return graph;
  const inputs = graph.inputs.map((info) => ({ ...info, ...types.get(info.name) }));
  const known = inferTensors({ ...graph, inputs });
  const isBatch = ({ outputs: [output = '', ...others] }: Node): boolean => {
    const { value, type } = known.get(output) ?? {};
    return type === 'int64' && others.length === 0 && value?.length === 1 && value[0] === batch;
  };
  const replaced = graph.nodes.filter(isBatch);
  if (replaced.length === 0) return graph;
  const b = graphBuilder({ opset: opsetOf(graph, { domain: '' }) });
  const sizes = b.add('Shape', [b.input(start, 'float32', null)], {}, 'fovea/sizes');
  for (const [i, { outputs }] of replaced.entries()) {
    const [output = ''] = outputs;
    const isScalar = known.get(output)?.shape?.length === 0;
    const first = b.constant(
      BigInt64Array.of(0n),
      isScalar ? [] : [1],
      'int64',
      `fovea/first/${i}`,
    );
    b.add('Gather', [sizes, first], { axis: 0 }, output);
  }
  const made = b.finish();
  return {
    ...graph,
    nodes: [...made.nodes, ...graph.nodes.filter((node) => !replaced.includes(node))],
    initializers: new Map([...graph.initializers, ...made.initializers]),
  };
}
