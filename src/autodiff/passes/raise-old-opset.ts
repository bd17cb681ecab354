import {
  freshNames,
  type Graph,
  initializerOf,
  intAttribute,
  type Node,
  namesOf,
} from '../../onnx/index.ts';

/** The lowest opset of the stages that Fovea puts before a classifier, and of gradients. */
const oldestWritten = 9;

/**
 * Raises a graph of opset 7 or 8 to opset 9. BatchNormalization loses its attribute `spatial`, and
 * the scales of Upsample become an input. Other operators have the same meaning in both. Returns
 * any other graph unchanged.
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
