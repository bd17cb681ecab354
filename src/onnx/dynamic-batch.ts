import { constantOf } from './constants.ts';
import {
  type Attribute,
  freshNames,
  type Graph,
  type Node,
  namesOf,
  producersOf,
} from './graph.ts';
import { type Initializer, initializerOf } from './initializer.ts';

/**
 * A target shape of Reshape with an open batch: its first element becomes -1, or 0 (copied) if
 * another element is -1. Undefined if the shape does not start with the fixed batch.
 */
function openShape(shape: readonly number[], batch: number): number[] | undefined {
  if (shape.length < 2 || shape[0] !== batch) return undefined;
  return [shape.includes(-1) ? 0 : -1, ...shape.slice(1)];
}

/**
 * The nodes of a Resize to constant sizes that start with the fixed batch. In the new nodes, the
 * batch size is read from the input. Undefined for any other Resize.
 */
function openResize(
  node: Node,
  batch: number,
  { graph, producers, fresh, initializers }: Workshop,
): Node[] | undefined {
  const [x = '', , , sizes = ''] = node.inputs;
  const target = node.attributes.has('axes') ? undefined : constantOf(graph, sizes, producers);
  if (target === undefined || target.length < 2 || target[0] !== batch) return undefined;
  const [shape, first, open, zero, rest] = ['shape', 'batch', 'sizes', 'zero', 'rest'].map((part) =>
    fresh(`${node.outputs[0]}/dynamic-${part}`),
  ) as [string, string, string, string, string];
  initializers.set(zero, initializerOf(zero, 'int64', [1], [0]));
  initializers.set(rest, initializerOf(rest, 'int64', [target.length - 1], target.slice(1)));
  return [
    nodeOf('Shape', [x], shape),
    nodeOf('Gather', [shape, zero], first, { axis: { type: 'int', value: 0 } }),
    nodeOf('Concat', [first, rest], open, { axis: { type: 'int', value: 0 } }),
    { ...node, inputs: [...node.inputs.slice(0, 3), open] },
  ];
}

interface Workshop {
  readonly graph: Graph;
  readonly producers: ReadonlyMap<string, Node>;
  readonly fresh: (wish: string) => string;
  readonly initializers: Map<string, Initializer>;
}

function nodeOf(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): Node {
  return {
    name: output,
    opType,
    domain: '',
    inputs,
    outputs: [output],
    attributes: new Map(Object.entries(attributes)),
    otherFields: [],
  };
}

/**
 * Makes the batch dimension of a graph dynamic that was exported with the fixed batch size `batch`.
 * It changes the declared shapes of inputs and outputs, and the constant shapes of Reshape and
 * sizes of Resize nodes, if they start with `batch`. This is a guess, because a number that equals
 * `batch` may mean something else. The caller must check that pictures get the same scores in a
 * batch as alone.
 */
export function withDynamicBatch(graph: Graph, batch: number): Graph {
  const initializers = new Map(graph.initializers);
  const producers = producersOf(graph);
  const workshop = { graph, producers, initializers, fresh: freshNames(namesOf(graph)) };
  const nodes = graph.nodes.flatMap((node): Node | Node[] => {
    if (node.opType === 'Resize') return openResize(node, batch, workshop) ?? node;
    if (node.opType !== 'Reshape') return node;
    const [x = '', target = ''] = node.inputs;
    const shape = constantOf(graph, target, producers);
    const open = shape && openShape(shape, batch);
    if (!open) return node;
    const [output = ''] = node.outputs;
    const name = `${output}/dynamic-shape`;
    initializers.set(name, initializerOf(name, 'int64', [open.length], open));
    return { ...node, inputs: [x, name] };
  });
  const free = <T extends { shape: Graph['inputs'][number]['shape'] }>(info: T): T =>
    info.shape && info.shape[0] === batch
      ? { ...info, shape: ['n', ...info.shape.slice(1)] }
      : info;
  // Declared types of intermediate tensors contain the old batch size. They are removed, and the
  // runtime infers them again.
  return {
    ...graph,
    nodes,
    initializers,
    inputs: graph.inputs.map(free),
    outputs: graph.outputs.map(free),
    valueInfo: new Map(),
  };
}
