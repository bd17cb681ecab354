import { type GradientRule, gradientRules, type RuleTable, rule } from '../autodiff/index.ts';
import type { BackwardRules } from './model.ts';

/** y = max(x, 0), as DeconvNet has it: dx = max(dy, 0); the gate of the forward pass is left out. */
const deconvRelu: GradientRule = (at, [dy]) => [at.ops.op('Relu', [dy])];

/** The rule of the table, then max(·, 0): for Relu dx = max(dy, 0) [y > 0]. */
function clamped(operator: string): GradientRule {
  return (at, dy) => {
    const entry = gradientRules[operator];
    const results = entry.kind === 'rule' ? entry.rule(at, dy) : [];
    return results.map((dx) => (dx === '' ? '' : at.ops.op('Relu', [dx])));
  };
}

/**
 * The ReLU and the cut at 6 of a ReLU6 are two steps: y = min(max(x, 0), 6). The second keeps its own gradient, so that
 * guided: dx = max(dy, 0) [0 < y < 6], and DeconvNet: dx = max(dy [y < 6], 0).
 */
const deconvClip: GradientRule = (at, [dy]) => {
  const high = at.node.attributes.get('max');
  const bound = high?.type === 'float' ? high.value : at.has(2) ? at.numbers(2)?.[0] : undefined;
  const below = bound === undefined ? dy : at.ops.mul(dy, at.ops.below(at.output(0), bound));
  return [at.ops.op('Relu', [below])];
};

const tables: Readonly<Record<Exclude<BackwardRules, 'plain'>, RuleTable>> = {
  'guided-backprop': { Relu: rule(clamped('Relu')), Clip: rule(clamped('Clip'), { stop: [1, 2] }) },
  deconvnet: { Relu: rule(deconvRelu), Clip: rule(deconvClip, { stop: [1, 2] }) },
};

/** The entries that a modified backward pass puts in place of those of the gradient. */
export function backwardRules(rules: BackwardRules): RuleTable {
  return rules === 'plain' ? {} : tables[rules];
}
