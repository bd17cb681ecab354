import { FoveaError } from '../errors.ts';
import {
  type Graph,
  isFloat,
  type Node,
  nodeInputs,
  type TensorInfo,
  topologicalSort,
} from '../onnx/index.ts';
import { at } from '../tensor/at.ts';
import { nameOf } from './guard.ts';
import type { RuleEntry } from './rule.ts';

/**
 * Returns the entry of the rule table for a node, or undefined if the table has no entry for it.
 */
export type RuleLookup = (node: Node) => RuleEntry | undefined;

/** Nodes and tensors between the tensors of `wrt` and the tensor that is differentiated. */
export interface Path {
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** The tensors that get a gradient. */
  readonly tensors: ReadonlySet<string>;
}

/** The nodes that depend on at least one of `tensors`, in topological order. */
function nodesAfter(sorted: readonly Node[], tensors: readonly string[]): Node[] {
  const reached = new Set(tensors);
  return sorted.filter((node) => {
    const isAfter = nodeInputs(node).some((name) => reached.has(name));
    if (isAfter) for (const name of node.outputs) reached.add(name);
    return isAfter;
  });
}

/** The nodes through which `of` depends on at least one of `tensors`, in topological order. */
export function nodesBetween(graph: Graph, tensors: readonly string[], of: string): Node[] {
  const needed = new Set([of]);
  const before = nodesAfter(topologicalSort(graph.nodes), tensors)
    .toReversed()
    .filter((node) => {
      const isNeeded = node.outputs.some((name) => needed.has(name));
      if (isNeeded) for (const name of nodeInputs(node)) needed.add(name);
      return isNeeded;
    });
  return before.reverse();
}

/** The positions of the inputs that can get a gradient. */
export function differentiableInputs(node: Node, entry: RuleEntry): readonly number[] {
  const stop = entry.kind === 'rule' ? entry.stop : [];
  return node.inputs.flatMap((name, index) => (name === '' || stop.includes(index) ? [] : [index]));
}

/**
 * Marks the nodes through which `of` depends on a tensor of `wrt`. A first walk goes forward along
 * differentiable inputs, and a second walk goes back from `of`.
 * @throws FoveaError `unsupported` if one of these nodes cannot be differentiated, `model` if `of`
 * does not depend on a tensor of `wrt`.
 */
export function markPath(
  graph: Graph,
  known: ReadonlyMap<string, TensorInfo>,
  of: string,
  wrt: readonly string[],
  lookup: RuleLookup,
): Path {
  const sorted = topologicalSort(graph.nodes);
  const carries = (name: string): boolean => isFloat(known.get(name)?.type ?? 'float32');
  const sources = (node: Node): readonly string[] => {
    const entry = lookup(node);
    if (entry?.kind === 'zero') return [];
    return entry?.kind === 'rule'
      ? differentiableInputs(node, entry).map((index) => at(node.inputs, index))
      : nodeInputs(node);
  };
  const dependent = new Set(wrt);
  for (const node of sorted) {
    const found = sources(node).filter((name) => dependent.has(name));
    if (found.length === 0) continue;
    const entry = lookup(node);
    // Straight-through and refused operators propagate dependence even through integer tensors.
    const rounded =
      entry?.kind !== 'rule' || entry.straightThrough || found.some((name) => !carries(name));
    for (const name of node.outputs)
      if (name !== '' && (rounded || carries(name))) dependent.add(name);
  }
  const tensors = new Set([of]);
  const nodes: Node[] = [];
  for (const node of sorted.toReversed()) {
    const inputs = sources(node).filter((name) => dependent.has(name));
    if (inputs.length === 0 || !node.outputs.some((name) => tensors.has(name))) continue;
    requireRule(node, lookup(node));
    nodes.push(node);
    for (const name of inputs) tensors.add(name);
  }
  for (const name of wrt) if (!tensors.has(name)) throw noPath(sorted, of, name, lookup);
  return { nodes: nodes.reverse(), tensors };
}

function requireRule(node: Node, entry: RuleEntry | undefined): void {
  if (entry?.kind === 'rule') return;
  const reason = entry?.reason ?? 'Fovea has no gradient rule for this operator';
  throw new FoveaError(
    'unsupported',
    `the model cannot be differentiated at ${nameOf(node)}: ${reason}`,
  );
}

/**
 * The error if no gradient reaches `wrt`. The message says whether `of` does not depend on `wrt` at
 * all, or only through operators whose gradient is zero.
 */
function noPath(sorted: readonly Node[], of: string, wrt: string, lookup: RuleLookup): FoveaError {
  const reached = nodesAfter(sorted, [wrt]);
  const first = reached.find((node) => lookup(node)?.kind === 'zero');
  if (!reached.some(({ outputs }) => outputs.includes(of)) || first === undefined)
    return new FoveaError('model', `the tensor "${of}" does not depend on "${wrt}"`);
  const entry = lookup(first);
  const reason = entry?.kind === 'zero' ? `: ${entry.reason}` : '';
  return new FoveaError(
    'model',
    `no gradient of "${of}" reaches "${wrt}", ` +
      `for example because of ${nameOf(first)}${reason}`,
  );
}
