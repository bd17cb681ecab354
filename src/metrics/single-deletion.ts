import * as v from 'valibot';
import { upsamplingMatrix } from '../image/upsampling.ts';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { integer, option } from '../options.ts';
import { spearman } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { defineMetric } from './metric.ts';
import { cellSums } from './shared/cell-sums.ts';

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
  measure: async (
    { model, input, map, target, batchSize, signal, onProgress },
    { grid, baseline, score },
  ) => {
    const [height = 0, width = 0] = map.shape;
    const cells = grid * grid;
    const shown = new Float32Array(cells * cells).fill(1);
    for (let c = 0; c < cells; c++) shown[c * cells + c] = 0;
    const { data } = await model.perturb({
      input,
      perturbation: {
        kind: 'grids',
        grids: tensor([cells, grid, grid], shown),
        rows: upsamplingMatrix('nearest', grid, height),
        columns: upsamplingMatrix('nearest', grid, width),
        shifts: new Int32Array(2 * cells),
      },
      baseline: createBaseline(baseline, model, input),
      targets: [target.index],
      score,
      batchSize,
      signal,
      onProgress: (done, total) => onProgress?.(done / total),
    });
    return {
      value: spearman(
        cellSums(map, grid),
        data.map((value) => -value),
      ),
    };
  },
});
