import { z } from 'zod';
import { upsamplingMatrix } from '../methods/internal/upsampling.ts';
import { baselineOption, createBaseline } from '../model/baseline.ts';
import type { Random } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { spearman } from './internal/correlation.ts';
import { defineMetric } from './metric.ts';

/** Sums of the map over the cells of a grid, [grid · grid]; pixel i of an axis of n lies in cell floor((i + 1/2) grid / n). */
function cellSums({ shape: [height, width], data }: Tensor, grid: number): Float64Array {
  const cell = (i: number, length: number) => Math.min(grid - 1, Math.floor(((i + 0.5) * grid) / length));
  const sums = new Float64Array(grid * grid);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) sums[cell(y, height) * grid + cell(x, width)] += data[y * width + x];
  }
  return sums;
}

/** Random grids of 1 (shown) and 0 (hidden, with probability `subset`), [samples, grid, grid]. */
function drawGrids(samples: number, grid: number, subset: number, random: Random): Tensor {
  return tensor(
    [samples, grid, grid],
    Float32Array.from({ length: samples * grid * grid }, () => (random.uniform() < subset ? 0 : 1)),
  );
}

/**
 * μFidelity: whether the pixels that the map holds important are those that cost the class score when hidden, for random
 * sets S of cells: the rank correlation over the sets, -1 … 1, higher is better.
 *
 *   spearman_S( sum_{i in S} map_i,  f(x) - f(x with S replaced by the baseline) )
 *
 * A cell of the grid is hidden with probability `subset`, as in xplique (the paper draws sets of one size, and Pearson's
 * correlation). 0 where sums or scores do not vary. `samples` model calls.
 * Source: Bhatt, Weller & Moura, IJCAI 2020, definition 3; defaults of xplique.
 */
export const muFidelity = defineMetric({
  name: 'mu-fidelity',
  title: 'μFidelity',
  direction: 'higher',
  range: [-1, 1],
  paper: 'Bhatt, Weller & Moura, Evaluating and Aggregating Feature-based Model Explanations, IJCAI 2020',
  needs: ['model'],
  presets: {
    xplique: { samples: 200, grid: 9, subset: 0.2, baseline: 'zero', score: 'logit' },
    probability: { samples: 200, grid: 9, subset: 0.2, baseline: 'zero', score: 'probability' },
  },
  options: z.object({
    samples: z.int().min(2).default(200).describe('sets of cells'),
    grid: z.int().min(1).default(9).describe('cells along each side'),
    subset: z.number().gt(0).lt(1).default(0.2).describe('probability that a cell is hidden'),
    baseline: baselineOption,
    score: z.enum(['logit', 'probability']).default('logit').describe('the score whose drop is compared'),
  }),
  measure: async ({ model, input, map, target, random, batchSize, signal, onProgress }, { samples, grid, subset, baseline, score }) => {
    const [height, width] = map.shape;
    const grids = drawGrids(samples, grid, subset, random);
    const { data } = await model.perturb({
      input,
      perturbation: {
        kind: 'grids',
        grids,
        rows: upsamplingMatrix('nearest', grid, height),
        columns: upsamplingMatrix('nearest', grid, width),
        shifts: new Int32Array(2 * samples),
      },
      baseline: createBaseline(baseline, model, input),
      targets: [target.index],
      score,
      batchSize,
      signal,
      onProgress: (done, total) => onProgress?.(done / total),
    });
    // The score of the whole picture shifts all drops alike: ranks do not see it, so it is not asked for.
    const sums = cellSums(map, grid);
    const hidden = Float64Array.from({ length: samples }, (_, k) => {
      let sum = 0;
      for (let c = 0; c < sums.length; c++) if (grids.data[k * sums.length + c] === 0) sum += sums[c];
      return sum;
    });
    return {
      value: spearman(
        hidden,
        data.map((value) => -value),
      ),
    };
  },
});
