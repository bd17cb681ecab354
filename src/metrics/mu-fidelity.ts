import * as v from 'valibot';
import { baselineOption } from '../model/input/baseline.ts';
import { integer, number, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import type { Random } from '../tensor/random.ts';
import { spearman } from '../tensor/statistics.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { cellSums, scoresOfCells } from './shared/cells.ts';

/**
 * Draws random grids of 1 (shown) and 0 (hidden), [samples, grid, grid]. `fixed` hides exactly the
 * share `subset` of the cells; `independent` hides each cell with this probability.
 */
function drawGrids(
  samples: number,
  grid: number,
  subset: number,
  sets: 'fixed' | 'independent',
  random: Random,
): Tensor {
  const cells = grid * grid;
  const grids = tensor([samples, grid, grid], new Float32Array(samples * cells).fill(1));
  for (let k = 0; k < samples; k++) {
    // Selection sampling: cell c of a set of fixed size is hidden with probability (cells still to
    // hide) / (cells left).
    let left = Math.max(1, Math.floor(subset * cells));
    for (let c = 0; c < cells; c++) {
      const hidden = random.uniform() < (sets === 'fixed' ? left / (cells - c) : subset);
      if (!hidden) continue;
      grids.data[k * cells + c] = 0;
      left--;
    }
  }
  return grids;
}

/**
 * μFidelity: whether hiding the pixels that are important in the map lowers the score of the class.
 * It is the rank correlation between both over random sets S of cells, -1 … 1. Higher is better.
 *
 *   spearman_S( sum_{i in S} map_i,  f(x) - f(x with S replaced by the baseline) )
 *
 * S is a fixed share of the cells of a grid, as in the paper, which uses Pearson's correlation. The
 * preset `xplique` hides each cell independently with that probability. Then larger sets have
 * larger sums and larger drops for any positive map, so even a random map is well above 0. The
 * value is 0 if the sums or the scores do not vary. The cost is `samples` model calls. Source:
 * Bhatt, Weller & Moura, IJCAI 2020, definition 3. The numbers of samples and cells are those of
 * xplique.
 */
export const muFidelity = defineMetric({
  name: 'mu-fidelity',
  title: 'μFidelity',
  direction: 'higher',
  range: [-1, 1],
  paper:
    'Bhatt, Weller & Moura, Evaluating and Aggregating Feature-based Model Explanations, ' +
    'IJCAI 2020',
  needs: ['model'],
  presets: {
    'fixed-size': {
      samples: 200,
      grid: 9,
      subset: 0.2,
      sets: 'fixed',
      baseline: 'zero',
      score: 'probability',
    },
    xplique: {
      samples: 200,
      grid: 9,
      subset: 0.2,
      sets: 'independent',
      baseline: 'zero',
      score: 'logit',
    },
  },
  options: v.object({
    samples: option(v.pipe(integer, v.minValue(2)), 200, 'number of random sets of cells'),
    grid: option(v.pipe(integer, v.minValue(1)), 9, 'number of cells along each side'),
    subset: option(
      v.pipe(number, v.gtValue(0), v.ltValue(1)),
      0.2,
      'share of the cells that are hidden',
    ),
    sets: option(
      v.picklist(['fixed', 'independent']),
      'fixed',
      'fixed: exactly this share of the cells is hidden; independent: each cell is hidden ' +
        'with this probability',
    ),
    baseline: baselineOption,
    score: option(
      v.picklist(['probability', 'logit']),
      'probability',
      'the score whose drop is compared',
    ),
  }),
  measure: async (context, options) => {
    const { samples, grid, subset, sets } = options;
    const grids = drawGrids(samples, grid, subset, sets, context.random);
    const scores = await scoresOfCells(context, grids.data, options);
    // The score of the whole picture adds the same constant to all drops. It does not change ranks,
    // so it is not computed.
    const sums = cellSums(context.map, grid);
    const hidden = Float64Array.from({ length: samples }, (_, k) => {
      let sum = 0;
      for (let c = 0; c < sums.length; c++)
        if (grids.data[k * sums.length + c] === 0) sum += at(sums, c);
      return sum;
    });
    return {
      value: spearman(
        hidden,
        scores.map((value) => -value),
      ),
    };
  },
});
