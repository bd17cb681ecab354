import {
  freshNames,
  type Graph,
  initializerOf,
  intAttribute,
  type Node,
  namesOf,
} from '../../onnx/index.ts';

/** The first opset that has what stages before a classifier, and gradients, are written in. */
const oldestWritten = 9;

/**
 * A graph of opset 7 or 8 in opset 9: BatchNormalization loses an attribute, Upsample takes its
 * scales as an input, and all else says the same. Returns any other graph as it is.
 */
export function raiseOldOpset(graph: Graph): Graph {
  const version = graph.opset.get('') ?? 1;
  if (version < 7 || version >= oldestWritten) return graph;
  const initializers = new Map(graph.initializers);
  const fresh = freshNames(namesOf(graph));
  const nodes = graph.nodes.map((node): Node => {
    const attributes = new Map(node.attributes);
    if (node.opType === 'BatchNormalization' && intAttribute(node, 'spatial', 1) === 1)
      attributes.delete('spatial');
    const scales = node.opType === 'Upsample' ? attributes.get('scales') : undefined;
    if (scales?.type !== 'floats') return { ...node, attributes };
    attributes.delete('scales');
    const name = fresh(`${node.outputs[0]}/scales`);
    const { value } = scales;
    initializers.set(name, initializerOf(name, 'float32', [value.length], [...value]));
    return { ...node, attributes, inputs: [node.inputs[0] ?? '', name] };
  });
  const opset = new Map([...graph.opset, ['', oldestWritten] as const]);
  return { ...graph, nodes, initializers, opset };
}
