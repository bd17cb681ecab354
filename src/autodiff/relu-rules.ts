import { type GradientRule, type RuleTable, rule } from './rule.ts';
import { gradientRules } from './rules/index.ts';

/** The gradient of an operator, then max(·, 0). For Relu: dx = max(dy, 0) [y > 0]. */
function clamped(operator: string): GradientRule {
  return (at, dy) => {
    const entry = gradientRules[operator];
    const results = entry?.kind === 'rule' ? entry.rule(at, dy) : [];
    return results.map((dx) => (dx === '' ? '' : at.ops.op('Relu', [dx])));
  };
}

/** Of y = max(x, 0): dx = max(dy, 0). The gate of the forward pass is left out. */
const rectified: GradientRule = (at, [dy]) => [at.ops.op('Relu', [dy])];

/**
 * Of y = min(max(x, 0), b), a ReLU6 for b = 6: dx = max(dy [y < b], 0). The ReLU and the cut at b
 * are two steps, and the second one keeps its own gradient.
 */
const rectifiedBelow: GradientRule = (at, [dy]) => {
  const high = at.node.attributes.get('max');
  const bound = high?.type === 'float' ? high.value : at.has(2) ? at.numbers(2)?.[0] : undefined;
  const below = bound === undefined ? dy : at.ops.mul(dy, at.ops.below(at.output(0), bound));
  return [at.ops.op('Relu', [below])];
};

/**
 * Guided backpropagation (Springenberg et al. 2015): a ReLU passes on what is positive of its
 * gradient, dx = max(dy, 0) [y > 0]. For ReLU6: dx = max(dy, 0) [0 < y < 6].
 */
export const guidedBackprop: RuleTable = {
  Relu: rule(clamped('Relu')),
  Clip: rule(clamped('Clip'), { stop: [1, 2] }),
};

/**
 * DeconvNet (Zeiler & Fergus 2014): a ReLU rectifies the gradient and forgets its own gate, dx =
 * max(dy, 0). For ReLU6: dx = max(dy [y < 6], 0).
 */
export const deconvnet: RuleTable = {
  Relu: rule(rectified),
  Clip: rule(rectifiedBelow, { stop: [1, 2] }),
};
