import * as v from 'valibot';
import { baselineOption } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import { spearman } from '../tensor/statistics.ts';
import { defineMetric } from './metric.ts';
import { allButOne, cellSums, scoresOfCells } from './shared/cells.ts';

/**
 * Single deletion: the rank correlation, over the cells c of a grid, between the sum of the map in
 * a cell and the drop of the class score f if only this cell is hidden, -1 … 1. Higher is better.
 * It is 0 if the sums or the scores are all equal.
 *
 *   spearman_c( sum_{i in c} map_i,  f(x) - f(x with c replaced by the baseline) )
 *
 * Only one cell is hidden at a time. So the pictures stay similar to the training pictures, and the
 * score does not depend on a step or on random numbers. The cost is grid² model calls: f(x) is the
 * same for all cells, so ranks do not need it. The paper compares logits (`hesse-2024`). The
 * default compares probabilities, which every model has. Source: Hesse, Schaub-Meyer & Roth,
 * Benchmarking the Attribution Quality of Vision Models (IDSDS), NeurIPS 2024, section 3: the
 * single-deletion score. The authors first fine-tune the model on pictures with hidden cells. This
 * metric does not change the model.
 */
export const singleDeletion = defineMetric({
  name: 'single-deletion',
  title: 'Single deletion',
  direction: 'higher',
  range: [-1, 1],
  paper:
    'Hesse, Schaub-Meyer & Roth, Benchmarking the Attribution Quality of Vision Models, ' +
    'NeurIPS 2024',
  needs: ['model'],
  presets: {
    probability: { grid: 4, baseline: 'zero', score: 'probability' },
    'hesse-2024': { grid: 4, baseline: 'zero', score: 'logit' },
  },
  options: v.object({
    grid: option(v.pipe(integer, v.minValue(2)), 4, 'number of cells along each side'),
    baseline: baselineOption,
    score: option(
      v.picklist(['probability', 'logit']),
      'probability',
      'the score whose drop is compared',
    ),
  }),
  measure: async (context, options) => {
    const { grid } = options;
    const scores = await scoresOfCells(context, allButOne(grid * grid), options);
    return {
      value: spearman(
        cellSums(context.map, grid),
        scores.map((value) => -value),
      ),
    };
  },
});
