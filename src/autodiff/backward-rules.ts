import type { Graph } from '../onnx/index.ts';
import type { RuleLookup } from './mark-path.ts';
import type { RuleTable } from './rule.ts';

/** Describes a backward pass for `BackwardRules.prepare`. */
export interface BackwardTask {
  /** The tensor that is differentiated. */
  readonly of: string;
  /** The tensors with respect to which `of` is differentiated. */
  readonly wrt: readonly string[];
  /** Tensors of the forward pass that the gradient model returns too. */
  readonly outputs: readonly string[];
  /** The graph input that takes the pictures, or the values that are fed in place of pictures. */
  readonly input: string;
}

/** A graph that is ready to be differentiated, and the entries that replace those of the table. */
export interface ReadyGraph {
  /**
   * A graph that computes the same values as the original. It still has all tensors that the task
   * names.
   */
  readonly graph: Graph;
  /**
   * Entries for some operators, or for some nodes. All others keep their ordinary gradient rule.
   */
  readonly rules: RuleTable | RuleLookup;
  /**
   * A graph input [1, …] that the preparation added. It takes the reference value with which
   * `BackwardTask.input` is compared.
   */
  readonly reference?: string;
}

/**
 * Rules that need to read or change the graph before the backward pass. For example, LRP has a
 * special rule for the first convolution, and DeepLIFT adds a second forward pass.
 */
export interface BackwardRules {
  /** The name of the rules in error messages. */
  readonly name: string;
  /**
   * Rules with equal keys are the same rules, and they share one session. The key must contain
   * every option that the rules depend on. By default, each object has a key of its own.
   */
  readonly key?: string;
  /**
   * Chooses the rules for a graph, and changes the graph if the rules need it.
   * @throws FoveaError `unsupported` if the rules do not apply to the graph.
   */
  prepare(graph: Graph, task: BackwardTask): ReadyGraph;
}

/**
 * How a backward pass is computed: entries by operator, entries chosen for each node, or rules that
 * read the graph first. A node for which the set has no entry keeps its ordinary gradient rule.
 */
export type RuleSet = RuleTable | RuleLookup | BackwardRules;

/** The ordinary gradient: no entry is replaced. */
export const plain: RuleTable = {};

/** Whether a rule set reads the graph first, with `prepare`. */
export function isBackwardRules(rules: RuleSet): rules is BackwardRules {
  return typeof rules === 'object' && typeof rules.prepare === 'function';
}

const identities = new WeakMap<RuleSet, number>();
let count = 0;

/**
 * A text that is equal for two rule sets only if they are the same rules. It contains the key of
 * the rules, or else a number that is unique to the object.
 */
export function keyOfRules(rules: RuleSet): string {
  if (isBackwardRules(rules) && rules.key !== undefined) return `${rules.name} ${rules.key}`;
  const known = identities.get(rules);
  if (known !== undefined) return String(known);
  count += 1;
  identities.set(rules, count);
  return String(count);
}
