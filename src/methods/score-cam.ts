import * as v from 'valibot';
import { upsamplingMatrix } from '../image/upsampling.ts';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import type { Grids } from '../model/perturbation.ts';
import { at } from '../tensor/at.ts';
import { extent } from '../tensor/statistics.ts';
import { softmax, type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod, type LayerMap } from './method.ts';
import { camOptions, fromLayers } from './shared/cam.ts';
import { weightedSum } from './shared/channel-maps.ts';
import { upsampleGrid } from './shared/grid-sums.ts';
import { readLayers } from './shared/head.ts';
import { chooseLayers } from './shared/layers.ts';

/**
 * Each channel of activations [C, h, w] as a mask, 0 … 1. The channel is upsampled to the picture
 * with aligned corners and stretched from its least and largest value to 0 … 1. Each row of an
 * upsampling matrix adds up to 1, so the code scales the small grid instead. A constant channel is
 * a mask of zeros.
 */
export function channelMasks(activations: Tensor, height: number, width: number): Grids {
  const [channels = 0, h = 0, w = 0] = activations.shape;
  const rows = upsamplingMatrix('align-corners', h, height);
  const columns = upsamplingMatrix('align-corners', w, width);
  const grids = new Float32Array(activations.data.length);
  for (let c = 0; c < channels; c++) {
    const grid = activations.data.subarray(c * h * w, (c + 1) * h * w);
    const [min, max] = extent(upsampleGrid(grid, rows.data, columns.data, [h, w]));
    if (max > min) grid.forEach((value, i) => (grids[c * h * w + i] = (value - min) / (max - min)));
  }
  return {
    kind: 'grids',
    grids: tensor([channels, h, w], grids),
    rows,
    columns,
    shifts: new Int32Array(2 * channels),
  };
}

/**
 * Score-CAM (Wang et al. 2020): each channel masks the picture, and the score of the masked picture
 * gives the weight of the channel. The map [H, W] is in the unit of the activations.
 *
 *   w = softmax over channels of S(x ⊙ M_c),   map = sum_c w_c A_c
 *
 * The paper also subtracts the score of the baseline from every S. This does not change the
 * softmax.
 */
export const scoreCam = defineMethod({
  name: 'score-cam',
  title: 'Score-CAM',
  family: 'gradient',
  paper:
    'Wang et al., Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural ' +
    'Networks, CVPR workshops 2020, arXiv:1910.01279',
  needs: ['black-box', 'features'],
  signed: true,
  cost: '1 + one per channel of the layer: 1281 for mobilenet_v2',
  options: v.object({
    ...camOptions,
    baseline: baselineOption,
  }),

  async explain({ model, input, targets, options, batchSize, progress }) {
    const [, , height = 0, width = 0] = input.shape;
    const layers = await readLayers(model, chooseLayers(model, options.layer), input);
    const maps: LayerMap[][] = targets.map(() => []);
    for (const [l, { name, activations }] of layers.entries()) {
      const scores = await model.perturb({
        input,
        baseline: createBaseline(options.baseline, model, input),
        perturbation: channelMasks(activations, height, width),
        targets: targets.map((target) => target.index),
        score: options.output,
        batchSize,
        onProgress: (done, total) => progress((l + done / total) / layers.length),
      });
      targets.forEach((_, t) => {
        const column = Float32Array.from({ length: at(activations.shape, 0) }, (__, c) =>
          at(scores.data, c * targets.length + t),
        );
        at(maps, t).push({ layer: name, map: weightedSum(activations, softmax(column)) });
      });
    }
    return maps.map((each): Attribution => fromLayers(each, options.relu, height, width));
  },
});
