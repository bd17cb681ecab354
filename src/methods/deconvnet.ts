import * as v from 'valibot';
import { deconvnet as rules } from '../autodiff/index.ts';
import { defineMethod } from './method.ts';
import { explainPixels, pixelOptions } from './shared/gradients.ts';

/**
 * DeconvNet: at each ReLU the gradient itself is rectified, and the gate of the forward pass left
 * out.
 *
 *   dx = max(dy, 0)
 */
export const deconvnet = defineMethod({
  name: 'deconvnet',
  title: 'DeconvNet',
  family: 'gradient',
  paper:
    'Zeiler & Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, ' +
    'arXiv:1311.2901',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward; twice that for a network without Relu',
  options: v.object(pixelOptions),

  explain: (context) => explainPixels(context, { rules, needsRelu: true }),
});
