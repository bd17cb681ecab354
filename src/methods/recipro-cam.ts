import * as v from 'valibot';
import { offsetOf } from '../model/model.ts';
import { option } from '../options.ts';
import { at } from '../tensor/at.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { camOptions } from './shared/cam.ts';
import { explainLayers, headScores } from './shared/head.ts';

/** The weights of a cell and its eight neighbors, which add up to 1. */
const KERNEL = [1, 2, 1, 2, 4, 2, 1, 2, 1].map((weight) => weight / 16);

/**
 * Recipro-CAM (Byun & Lee 2022): the score of the class if the head sees only one cell of the
 * feature map, and its neighbors with smaller weights. The map [H, W] is in the unit of the score.
 *
 *   map[p] = S(head(A ⊙ K_p))
 *
 * K_p is a 3 × 3 kernel around p: 1/4 in the middle, 1/8 beside it, 1/16 at the corners.
 */
export const reciproCam = defineMethod({
  name: 'recipro-cam',
  title: 'Recipro-CAM',
  family: 'gradient',
  paper:
    'Byun & Lee, Recipro-CAM: Fast gradient-free visual explanations for convolutional ' +
    'neural networks, 2022, arXiv:2209.14074',
  needs: ['features', 'gradients'],
  signed: true,
  cost: '1, and one per cell of the layer through the head only: 50 for a 7×7 map',
  options: v.object({
    ...camOptions,
    blur: option(
      v.boolean(),
      true,
      'whether the neighbors of a cell are also seen, with smaller weights; false: only the ' +
        'cell itself',
    ),
  }),

  explain: (context) =>
    explainLayers(context, async (layer, target, report) => {
      const [channels = 0, h = 0, w = 0] = layer.activations.shape;
      const scores = await headScores({
        model: context.model,
        layer,
        target,
        score: context.options.output,
        batchSize: context.batchSize,
        count: h * w,
        alter: (p, values) => {
          for (let cell = 0; cell < h * w; cell++) {
            const weight = seen(cell, p, w, context.options.blur);
            for (let c = 0; c < channels; c++) {
              const i = offsetOf(layer.layout, c, cell);
              values[i] = weight * at(values, i);
            }
          }
        },
        onProgress: (done) => report(done / (h * w)),
      });
      return tensor([h, w], Float32Array.from(scores));
    }),
});

/** The weight of a cell in the map value of cell `p`. */
function seen(cell: number, p: number, width: number, blur: boolean): number {
  if (!blur) return cell === p ? 1 : 0;
  const down = Math.floor(cell / width) - Math.floor(p / width);
  const across = (cell % width) - (p % width);
  return Math.abs(down) <= 1 && Math.abs(across) <= 1 ? at(KERNEL, (down + 1) * 3 + across + 1) : 0;
}
