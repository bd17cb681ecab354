import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { explainPixels, pixelOptions } from './shared/gradients.ts';

/**
 * The gradient of the score by the pixels: how the score would follow small changes.
 *
 *   map[p] = reduce over channels of dS / dx[p]
 */
export const gradient = defineMethod({
  name: 'gradient',
  title: 'Gradient',
  family: 'gradient',
  paper:
    'Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, arXiv:1312.6034',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(pixelOptions),

  explain: (context) => explainPixels(context),
});
