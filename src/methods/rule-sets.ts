import {
  deconvnet,
  defineRules,
  guidedBackprop,
  type LrpOptions,
  lrp,
  type NamedRules,
} from '../autodiff/index.ts';

/** Parameters of the LRP presets. No preset has the `box` rule, so the bounds are not used. */
const LRP = { epsilon: 1e-6, gamma: 0.25, alpha: 2, low: [], high: [] } as const;

/** LRP with one rule for convolutions and one for dense layers. */
function preset(
  name: string,
  convolution: LrpOptions['convolution'],
  dense: LrpOptions['dense'],
): NamedRules {
  const rules = lrp({ ...LRP, first: convolution, convolution, dense });
  const title = `LRP: ${convolution} for convolutions, ${dense} for dense layers`;
  return defineRules({ name, title, rules });
}

/** Rule sets that have a name from the start, besides `plain`. */
export const builtInRules: readonly NamedRules[] = [
  defineRules({
    name: 'guided-backprop',
    title: 'guided backpropagation: a ReLU passes on positive gradients only',
    rules: guidedBackprop,
  }),
  defineRules({
    name: 'deconvnet',
    title: 'DeconvNet: a ReLU rectifies the gradient in place of its input',
    rules: deconvnet,
  }),
  preset('lrp-epsilon', 'epsilon', 'epsilon'),
  preset('lrp-epsilon-plus', 'z-plus', 'epsilon'),
  preset('lrp-gamma', 'gamma', 'gamma'),
];
