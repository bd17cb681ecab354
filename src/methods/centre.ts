import * as v from 'valibot';
import { number, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';

/**
 * A control: a Gaussian in the middle of the picture. It does not depend on the picture or the
 * model. In most photographs the object is in the middle, so a method that finds objects must have
 * a better score than this control.
 *
 *   S(y, x) = exp(-½ [((y - (H-1)/2) / (sigma · H))² + ((x - (W-1)/2) / (sigma · W))²])
 *
 * The map [H, W] has values from 0 to 1.
 *
 * Source: the "center" baseline of the pointing game in TorchRay (Fong, Patrick & Vedaldi, ICCV
 * 2019).
 */
export const centre = defineMethod({
  name: 'centre',
  title: 'Centred Gaussian',
  family: 'control',
  paper:
    'a control, as in Fong, Patrick & Vedaldi, Extremal Perturbations, ICCV 2019, arXiv:1910.08485',
  needs: [],
  signed: false,
  cost: '0',
  options: v.object({
    sigma: option(
      v.pipe(number, v.gtValue(0)),
      0.25,
      'standard deviation, as a share of height and width',
    ),
  }),

  async explain({ input, targets, options: { sigma } }) {
    const [, , height = 0, width = 0] = input.shape;
    const bell = (size: number) =>
      Float64Array.from({ length: size }, (_, i) =>
        Math.exp(-0.5 * ((i - (size - 1) / 2) / (sigma * size)) ** 2),
      );
    const rows = bell(height);
    const columns = bell(width);
    const values = () =>
      Float32Array.from(
        { length: height * width },
        (_, i) => at(rows, Math.floor(i / width)) * at(columns, i % width),
      );
    return targets.map(() => ({ map: tensor([height, width], values()) }));
  },
});
