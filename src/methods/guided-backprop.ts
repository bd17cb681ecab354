import * as v from 'valibot';
import { guidedBackprop as rules } from '../autodiff/index.ts';
import { defineMethod } from './method.ts';
import { explainPixels, pixelOptions } from './shared/gradients.ts';

/**
 * Guided backpropagation (Springenberg et al. 2015): each ReLU y = max(x, 0) passes on a gradient
 * only if the gradient and the input x are positive. The map [H, W] is signed and in the unit of
 * score per normalized pixel value.
 *
 *   dx = max(dy, 0) [y > 0]
 */
export const guidedBackprop = defineMethod({
  name: 'guided-backprop',
  title: 'Guided backpropagation',
  family: 'gradient',
  paper:
    'Springenberg et al., Striving for Simplicity: The All Convolutional Net, ICLR workshop ' +
    '2015, arXiv:1412.6806',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward; twice that for a network without Relu',
  options: v.object(pixelOptions),

  explain: (context) => explainPixels(context, { rules, needsRelu: true }),
});
