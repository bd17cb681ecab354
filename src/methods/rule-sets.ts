import {
  deconvnet,
  defineRules,
  guidedBackprop,
  type LrpOptions,
  lrp,
  type NamedRules,
} from '../autodiff/index.ts';

/** Parameters of the LRP presets. No preset uses the `box` rule, so the bounds are not needed. */
const LRP = { epsilon: 1e-6, gamma: 0.25, alpha: 2, low: [], high: [] } as const;

/** An LRP rule set with one rule for convolutions and one for dense layers. */
function preset(
  name: string,
  convolution: LrpOptions['convolution'],
  dense: LrpOptions['dense'],
): NamedRules {
  const rules = lrp({ ...LRP, first: convolution, convolution, dense });
  const title = `LRP: ${convolution} for convolutions, ${dense} for dense layers`;
  return defineRules({ name, title, rules });
}

/** The rule sets that Fovea registers besides `plain`. */
export const builtInRules: readonly NamedRules[] = [
  defineRules({
    name: 'guided-backprop',
    title: 'guided backpropagation: a ReLU passes on only positive gradients of positive inputs',
    rules: guidedBackprop,
  }),
  defineRules({
    name: 'deconvnet',
    title: 'DeconvNet: a ReLU passes on only positive gradients, for any input',
    rules: deconvnet,
  }),
  preset('lrp-epsilon', 'epsilon', 'epsilon'),
  preset('lrp-epsilon-plus', 'z-plus', 'epsilon'),
  preset('lrp-gamma', 'gamma', 'gamma'),
];
