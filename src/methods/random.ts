import * as v from 'valibot';
import { tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';

/**
 * A control: independent uniform noise in [0, 1), as a map [H, W]. It does not depend on the
 * picture or the model. If a method does not have a better score than this control, its maps
 * explain nothing.
 */
export const random = defineMethod({
  name: 'random',
  title: 'Random map',
  family: 'control',
  paper:
    'a control, as in Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018, ' +
    'arXiv:1810.03292',
  needs: [],
  signed: false,
  cost: '0',
  options: v.object({}),

  async explain({ input, targets, random: source }) {
    const [, , height = 0, width = 0] = input.shape;
    return targets.map((target) => {
      const stream = source.fork(target.index);
      return {
        map: tensor(
          [height, width],
          Float32Array.from({ length: height * width }, () => stream.uniform()),
        ),
      };
    });
  },
});
