import { z } from 'zod';
import { slab } from '../tensor/tensor.ts';
import { gradientsOf, outputOption, reduceChannels, reduceOption, repeat } from './internal/gradients.ts';
import { defineMethod } from './method.ts';

/**
 * The gradient of the score by the pixels: how the score would follow small changes.
 *
 *   map[p] = reduce over channels of dS / dx[p]
 */
export const gradient = defineMethod({
  name: 'gradient',
  title: 'Gradient',
  family: 'gradient',
  paper: 'Simonyan, Vedaldi & Zisserman, Deep Inside Convolutional Networks, ICLR workshop 2014, arXiv:1312.6034',
  needs: ['gradients'],
  signed: true,
  cost: '1 forward and 1 backward',
  options: z.object({ output: outputOption, reduce: reduceOption }),

  async explain({ model, input, targets, options, batchSize }) {
    const [, , height, width] = input.shape;
    const classes = targets.map((target) => target.index);
    const { gradients } = await gradientsOf(model, {
      batch: repeat(input, classes.length),
      wrt: ['input'],
      targets: classes,
      score: options.output,
      batchSize,
    });
    return targets.map((_, t) => ({ map: reduceChannels(slab(gradients[0], t).data, height, width, options.reduce) }));
  },
});
