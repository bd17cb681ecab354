import { type Graph, type Node, producersOf } from './graph.ts';
import { type Initializer, tensorNumbers } from './initializer.ts';

/** Operators whose output is their first input, at most in another element type. */
export const SAME_VALUES: ReadonlySet<string> = new Set(['Identity', 'Dropout', 'Cast']);

/** Operators that give the elements of their first input in the same order, in any shape. */
export const SAME_ELEMENTS: ReadonlySet<string> = new Set([
  ...SAME_VALUES,
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
]);

/**
 * The tensor that a tensor was made of by operators of one kind: walks back over the first inputs
 * of `operators`, such as `SAME_VALUES`.
 */
export function sourceOf(
  producers: ReadonlyMap<string, Node>,
  name: string,
  operators: ReadonlySet<string>,
): string {
  let source = name;
  // The nodes of a broken file can form a cycle.
  for (let steps = 0; steps < producers.size; steps++) {
    const node = producers.get(source);
    const [input] = node && operators.has(node.opType) ? node.inputs : [];
    if (input === undefined) break;
    source = input;
  }
  return source;
}

/**
 * The constant of a name: an initializer, or what a Constant node holds as a tensor; undefined for
 * any other tensor. `producers` are those of the graph, for callers that have them.
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

/** The numbers of the constant of a name, as `constantAt` finds it. */
export function constantOf(
  graph: Graph,
  name: string,
  producers?: ReadonlyMap<string, Node>,
): number[] | undefined {
  const constant = constantAt(graph, name, producers);
  return constant && tensorNumbers(constant);
}
