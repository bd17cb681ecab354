import { raiseOldOpset } from '../../autodiff/index.ts';
import {
  constantOf,
  dataInputs,
  functionBodies,
  type Graph,
  inferShapes,
  initializerOf,
  type Node,
  type OnnxModel,
  producersOf,
  withGraph,
} from '../../onnx/index.ts';

/** A model in the form that the rest of Fovea works on. */
export interface UsualForm {
  readonly model: OnnxModel;
  /** Class labels that the graph contains, if any. */
  readonly labels?: readonly string[];
}

/**
 * Replaces an output that is a sequence of maps from labels to probabilities by the tensor of the
 * probabilities, and removes outputs of text. Azure Custom Vision and sklearn-onnx end classifiers
 * in such a map.
 */
function withoutZipMap(graph: Graph): { graph: Graph; labels?: readonly string[] } {
  const producers = producersOf(graph);
  const zipMap = graph.outputs
    .map(({ name }) => producers.get(name))
    .find((node) => node?.opType === 'ZipMap' && node.domain === 'ai.onnx.ml');
  const [probabilities] = zipMap?.inputs ?? [];
  if (!zipMap || probabilities === undefined) return { graph };
  const texts = zipMap.attributes.get('classlabels_strings');
  const numbers = zipMap.attributes.get('classlabels_int64s');
  const labels =
    texts?.type === 'strings'
      ? texts.value
      : numbers?.type === 'ints'
        ? numbers.value.map(String)
        : undefined;
  const outputs = graph.outputs.flatMap((info) => {
    if (zipMap.outputs.includes(info.name))
      return [{ name: probabilities, type: 'float32' as const, shape: null, otherFields: [] }];
    return info.type === 'string' ? [] : [info];
  });
  const isKept = (node: Node) => node !== zipMap;
  return { graph: { ...graph, nodes: graph.nodes.filter(isKept), outputs }, labels };
}

/**
 * Sets an open height and width of the picture input to the size that pictures are prepared for.
 */
function withSettledSize(graph: Graph, size: readonly [number, number]): Graph {
  const [input, ...others] = dataInputs(graph);
  if (input?.shape?.length !== 4 || others.length > 0) return graph;
  const [batch = null, second = null, third = null, last = null] = input.shape;
  const isOpen = (dim: unknown) => typeof dim !== 'number';
  const [height, width] = size;
  const isNhwc = last === 1 || last === 3;
  const shape = isNhwc
    ? [batch, isOpen(second) ? height : second, isOpen(third) ? width : third, last]
    : [batch, second, isOpen(third) ? height : third, isOpen(last) ? width : last];
  if (shape.every((dim, i) => dim === input.shape?.[i])) return graph;
  const inputs = graph.inputs.map((info) => (info.name === input.name ? { ...info, shape } : info));
  // Declared types of other tensors have the open size, so they are inferred again.
  const channels = isNhwc ? last : second;
  return { ...graph, inputs, valueInfo: isOpen(channels) ? graph.valueInfo : new Map() };
}

/**
 * Simplifies each Reshape whose shape is joined from constants and one computed number, such as the
 * batch size read from the input. That number becomes -1, which means the remaining size. Then only
 * values flow from the input to the Reshape.
 */
function withImpliedSizes(graph: Graph): Graph {
  const producers = producersOf(graph);
  const concatOf = (node: Node) => {
    const concat = node.opType === 'Reshape' ? producers.get(node.inputs[1] ?? '') : undefined;
    return concat?.opType === 'Concat' ? concat : undefined;
  };
  if (!graph.nodes.some(concatOf)) return graph;
  const types = inferShapes(graph);
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node): Node => {
    const parts = concatOf(node)?.inputs.map((name) => {
      const [length, ...rest] = types.get(name)?.shape ?? [null, null];
      const isNumber = length === 1 && rest.length === 0;
      return constantOf(graph, name, producers) ?? (isNumber ? undefined : [-1, -1]);
    });
    if (parts?.filter((part) => !part).length !== 1) return node;
    const shape = parts.flatMap((part) => part ?? -1);
    if (shape.filter((size) => size === -1).length !== 1) return node;
    const name = `${node.outputs[0]}/implied-shape`;
    initializers.set(name, initializerOf(name, 'int64', [shape.length], shape));
    return { ...node, inputs: [node.inputs[0] ?? '', name] };
  });
  return { ...graph, nodes, initializers };
}

/**
 * Brings the different spellings of exporters into one form: no ZipMap at the end; at least opset 9
 * (opsets 7 and 8 mean the same); height and width as numbers; no batch size that is read from the
 * input if the values imply it.
 * @param size - height and width for a graph that leaves them open
 */
export function usualForm(model: OnnxModel, size: readonly [number, number]): UsualForm {
  functionBodies(model); // refuses functions that would be expanded without end
  const { graph, labels } = withoutZipMap(model.graph);
  return {
    model: withGraph(model, withImpliedSizes(withSettledSize(raiseOldOpset(graph), size))),
    labels,
  };
}
