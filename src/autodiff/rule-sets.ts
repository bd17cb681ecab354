import { createRegistry } from '../registry.ts';
import { plain, type RuleSet } from './backward-rules.ts';

/** Rules of a backward pass with a name, for options and command lines. */
export interface NamedRules {
  /** Letters, digits and hyphens. */
  readonly name: string;
  readonly title: string;
  readonly rules: RuleSet;
}

/**
 * Declares rules of a backward pass: a table of entries by operator, entries chosen for each node,
 * or rules that look at the graph first. In a manifest they stand as their name.
 */
export function defineRules(named: NamedRules): NamedRules {
  return { ...named, toJSON: () => named.name } as NamedRules;
}

/**
 * The rules that are registered, by name. Importing `fovea/methods` registers guided
 * backpropagation, DeconvNet and LRP; `plain` is always there.
 */
export const ruleSets = createRegistry<NamedRules>('rule set');

ruleSets.register(defineRules({ name: 'plain', title: 'the gradient as it is', rules: plain }));
