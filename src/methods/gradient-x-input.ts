import * as v from 'valibot';
import { defineMethod } from './method.ts';
import { explainPixels, pixelOptions } from './shared/gradients.ts';

/**
 * The gradient times the picture in the model’s normalized units (Shrikumar et al. 2016). For a
 * linear model, this is what each pixel adds to the score. The map [H, W] is signed and in the unit
 * of the score.
 *
 *   map[p] = reduce over channels of x[p] · dS / dx[p]
 */
export const gradientXInput = defineMethod({
  name: 'gradient-x-input',
  title: 'Gradient × input',
  family: 'gradient',
  paper:
    'Shrikumar et al., Not Just a Black Box: Learning Important Features Through Propagating ' +
    'Activation Differences, 2016, arXiv:1605.01713',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: v.object(pixelOptions),

  explain: (context) => explainPixels(context, { timesInput: true }),
});
