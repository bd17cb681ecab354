import {
  type Dim,
  freshNames,
  type Graph,
  type Initializer,
  inferTensors,
  initializerOf,
  intAttribute,
  type Node,
  namesOf,
  type Shape,
  type TensorInfo,
  tensorAttribute,
} from '../../onnx/index.ts';
import { prune } from './prune.ts';

/** Element types of the arithmetic on shapes. */
const foldable = new Set(['int64', 'int32', 'bool']);

/**
 * Replaces the arithmetic on shapes by constants, as far as sizes are known. Integers whose values
 * shape inference finds become initializers. The target of a Reshape may keep one symbolic size, as
 * -1 or 0. Constant nodes become initializers, and Identity nodes of initializers are removed.
 * Tensors named in `keep` stay. The returned graph computes the same outputs.
 */
export function foldShapes(
  graph: Graph,
  keep: ReadonlySet<string>,
  inputShapes: Readonly<Record<string, Shape>> = {},
): Graph {
  const known = inferTensors(graph, { inputs: inputShapes });
  const fresh = freshNames(namesOf(graph));
  const initializers = new Map(graph.initializers);
  const copies = new Map<string, string>();
  const nodes: Node[] = [];
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  for (const original of graph.nodes) {
    const node = original.inputs.some((name) => copies.has(name))
      ? { ...original, inputs: original.inputs.map((name) => copies.get(name) ?? name) }
      : original;
    const [output = ''] = node.outputs;
    const [first = '', second = ''] = node.inputs;
    const stays = keep.has(output) || outputs.has(output);
    const constant = stays ? undefined : constantOf(node, known);
    if (constant) initializers.set(output, constant);
    else if (!stays && node.opType === 'Identity' && initializers.has(first))
      copies.set(output, first);
    else if (
      node.opType === 'Reshape' &&
      node.domain === '' &&
      node.inputs.length === 2 &&
      !initializers.has(second)
    ) {
      const target = reshapeTarget(node, known);
      const name = target && fresh(`${output}_shape`);
      if (target && name)
        initializers.set(name, initializerOf(name, 'int64', [target.length], target));
      nodes.push(name ? { ...node, inputs: [first, name] } : node);
    } else nodes.push(node);
  }
  return prune({ ...graph, nodes, initializers });
}

/**
 * The value that a node computes if it is a Constant or arithmetic on known sizes; undefined
 * otherwise.
 */
function constantOf(node: Node, known: ReadonlyMap<string, TensorInfo>): Initializer | undefined {
  const [name, ...others] = node.outputs;
  if (name === undefined || others.length > 0 || node.domain !== '') return undefined;
  const tensor = node.opType === 'Constant' ? tensorAttribute(node, 'value') : undefined;
  if (tensor) return tensor.name === name ? tensor : { ...tensor, name };
  const info = known.get(name);
  const isShape =
    info?.type != null &&
    (foldable.has(info.type) || (node.opType === 'Constant' && info.type === 'float32'));
  if (
    !isShape ||
    info.value === null ||
    !info.value.every((element) =>
      info.type === 'float32' ? typeof element === 'number' : Number.isSafeInteger(element),
    )
  )
    return undefined;
  return initializerOf(
    name,
    info.type ?? 'int64',
    info.shape as readonly number[],
    info.value as number[],
  );
}

/**
 * The target of a Reshape. It has 0 for a symbolic size that is copied from the same axis, and -1
 * for at most one other unknown size. Undefined if more sizes are unknown.
 */
function reshapeTarget(node: Node, known: ReadonlyMap<string, TensorInfo>): number[] | undefined {
  const [data = '', sizes = ''] = node.inputs;
  const target = known.get(sizes)?.value;
  const from = known.get(data)?.shape;
  if (!target || intAttribute(node, 'allowzero', 0) === 1) return undefined;
  const dims = target.map((dim: Dim, axis) =>
    typeof dim === 'string' && from?.[axis] === dim ? 0 : dim,
  );
  const open =
    dims.filter((dim) => typeof dim !== 'number').length + dims.filter((dim) => dim === -1).length;
  if (open > 1) return undefined;
  return dims.map((dim) => (typeof dim === 'number' ? dim : -1));
}
