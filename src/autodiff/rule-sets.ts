import { createRegistry } from '../registry.ts';
import { plain, type RuleSet } from './backward-rules.ts';

/** Rules of a backward pass, with a name that options and the command line use. */
export interface NamedRules {
  /** Letters, digits and hyphens. */
  readonly name: string;
  /** A few words that describe the rules. */
  readonly title: string;
  readonly rules: RuleSet;
}

/**
 * Declares rules of a backward pass: a table of entries by operator, entries chosen for each node,
 * or rules that read the graph first. A manifest contains only their name.
 */
export function defineRules(named: NamedRules): NamedRules {
  return { ...named, toJSON: () => named.name } as NamedRules;
}

/**
 * The registered rules, by name. `plain` is always registered. Importing `fovea/methods` registers
 * guided backpropagation, DeconvNet and LRP.
 */
export const ruleSets = createRegistry<NamedRules>('rule set');

ruleSets.register(defineRules({ name: 'plain', title: 'the ordinary gradient', rules: plain }));
