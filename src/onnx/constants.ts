import { type Graph, type Node, producersOf } from './graph.ts';
import { type Initializer, tensorNumbers } from './initializer.ts';

/** Operators that return their first input, possibly in another element type. */
export const SAME_VALUES: ReadonlySet<string> = new Set(['Identity', 'Dropout', 'Cast']);

/**
 * Operators that return the elements of their first input in the same order, possibly in another
 * shape or element type.
 */
export const SAME_ELEMENTS: ReadonlySet<string> = new Set([
  ...SAME_VALUES,
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
]);

/**
 * Walks back from a tensor over nodes whose types are in `operators` (such as `SAME_VALUES`), along
 * their first inputs. Returns the tensor at which the walk ends.
 */
export function sourceOf(
  producers: ReadonlyMap<string, Node>,
  name: string,
  operators: ReadonlySet<string>,
): string {
  let source = name;
  // In a broken file the nodes can form a cycle.
  for (let steps = 0; steps < producers.size; steps++) {
    const node = producers.get(source);
    const [input] = node && operators.has(node.opType) ? node.inputs : [];
    if (input === undefined) break;
    source = input;
  }
  return source;
}

/**
 * The constant with a name: an initializer, or the tensor of a Constant node. Undefined for any
 * other tensor. Callers that already have the producers of the graph can pass them.
 */
export function constantAt(
  graph: Graph,
  name: string,
  producers: ReadonlyMap<string, Node> = producersOf(graph),
): Initializer | undefined {
  const initializer = graph.initializers.get(name);
  if (initializer) return initializer;
  const node = producers.get(name);
  const value = node?.opType === 'Constant' ? node.attributes.get('value') : undefined;
  return value?.type === 'tensor' ? { ...value.value, name } : undefined;
}

/**
 * The values of the constant with a name (see `constantAt`) as numbers. Undefined if the tensor is
 * not a constant.
 */
export function constantOf(
  graph: Graph,
  name: string,
  producers?: ReadonlyMap<string, Node>,
): number[] | undefined {
  const constant = constantAt(graph, name, producers);
  return constant && tensorNumbers(constant);
}
