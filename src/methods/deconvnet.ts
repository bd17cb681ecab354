import * as v from 'valibot';
import { deconvnet as rules } from '../autodiff/index.ts';
import { defineMethod } from './method.ts';
import { explainPixels, pixelOptions } from './shared/gradients.ts';

/**
 * DeconvNet (Zeiler & Fergus 2014): each ReLU sets negative gradients to zero. It ignores whether
 * its input was positive in the forward pass. The map [H, W] is signed and in the unit of score per
 * normalized pixel value.
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
