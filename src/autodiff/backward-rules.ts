import type { Graph } from '../onnx/index.ts';
import type { RuleLookup } from './mark-path.ts';
import type { RuleTable } from './rule.ts';

/** What a backward pass is asked for, as `BackwardRules.prepare` is told. */
export interface BackwardTask {
  /** The tensor that is differentiated. */
  readonly of: string;
  /** The tensors with respect to which. */
  readonly wrt: readonly string[];
  /** Tensors of the forward pass that are outputs too. */
  readonly outputs: readonly string[];
  /** The graph input that holds the pictures, or the values that are fed in their place. */
  readonly input: string;
}

/** A graph that is ready to be differentiated, and the entries that replace those of the table. */
export interface ReadyGraph {
  /** It computes the same as before, and still has all tensors that the task names. */
  readonly graph: Graph;
  /** Entries for some operators, or for some nodes; all others keep their gradient. */
  readonly rules: RuleTable | RuleLookup;
  /**
   * A graph input [1, …] that the preparation added: it takes what `BackwardTask.input` is
   * compared with.
   */
  readonly reference?: string;
}

/**
 * Rules that look at the graph first: LRP treats the first convolution in its own way, DeepLIFT
 * needs a second forward pass.
 */
export interface BackwardRules {
  /** What messages call the rules. */
  readonly name: string;
  /**
   * Rules of one key are the same rules, so that one session serves them. It must name every option
   * that they depend on. If there is none, each object is a key by itself.
   */
  readonly key?: string;
  /**
   * Chooses the rules for a graph, and changes the graph where they need it.
   * @throws FoveaError `unsupported` if the rules do not apply to the graph.
   */
  prepare(graph: Graph, task: BackwardTask): ReadyGraph;
}

/**
 * How a backward pass is computed: entries by operator, entries chosen for each node, or rules that
 * look at the graph first. What a set says nothing about keeps its gradient.
 */
export type RuleSet = RuleTable | RuleLookup | BackwardRules;

/** The gradient as it is: no entry is replaced. */
export const plain: RuleTable = {};

/** Whether a rule set looks at the graph first. */
export function isBackwardRules(rules: RuleSet): rules is BackwardRules {
  return typeof rules === 'object' && typeof rules.prepare === 'function';
}

const identities = new WeakMap<RuleSet, number>();
let count = 0;

/**
 * A text that two rule sets share only if they are the same: their own key, or a number for each
 * object.
 */
export function keyOfRules(rules: RuleSet): string {
  if (isBackwardRules(rules) && rules.key !== undefined) return `${rules.name} ${rules.key}`;
  const known = identities.get(rules);
  if (known !== undefined) return String(known);
  count += 1;
  identities.set(rules, count);
  return String(count);
}
