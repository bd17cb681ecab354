import * as v from 'valibot';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import { tileMasks } from '../model/perturbation.ts';
import { integer, option } from '../options.ts';
import { at } from '../tensor/at.ts';
import type { Random } from '../tensor/random.ts';
import { mean } from '../tensor/statistics.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { gridMap, gridOption } from './shared/grid-sums.ts';
import { latinHypercube } from './shared/latin-hypercube.ts';
import { scoreInParts } from './shared/score-parts.ts';

/**
 * The rows of the design are scored in this many parts. An intermediate map is offered after each
 * part.
 */
const OFFERS = 8;
/** No map is offered before this many rows, because fewer rows do not determine the variance. */
const ROWS_BEFORE_OFFERING = 8;

/**
 * A design of masks in [0, 1), [rows · (cells + 2), cells] (Saltelli et al. 2010). Each row has the
 * independent masks a and b, and then, for every cell i, the mask a with cell i taken from b.
 */
export function sobolDesign(rows: number, cells: number, random: Random): Float32Array {
  const points = latinHypercube(rows, 2 * cells, random);
  const design = new Float32Array(rows * (cells + 2) * cells);
  for (let r = 0; r < rows; r++) {
    const [a, b] = [
      points.subarray(2 * r * cells, (2 * r + 1) * cells),
      points.subarray((2 * r + 1) * cells, (2 * r + 2) * cells),
    ];
    const block = design.subarray(r * (cells + 2) * cells, (r + 1) * (cells + 2) * cells);
    block.set(a);
    block.set(b, cells);
    for (let i = 0; i < cells; i++) {
      block.set(a, (i + 2) * cells);
      block.set(b.subarray(i, i + 1), (i + 2) * cells + i);
    }
  }
  return design;
}

/** The total-order Sobol indices of the cells and their standard errors, both [cells]. */
export interface SobolIndices {
  readonly total: Float64Array;
  readonly standardErrors: Float64Array;
}

/**
 * Jansen's estimator of the total-order indices, from the scores of a design [rows · (cells + 2)]:
 *
 *   ST_i = 1 / (2 n V) · Σ_r ( f(a_r) - f(a_r with b_ri) )²
 *
 * V is the variance of f over all a and b. If V is 0, all indices are 0.
 *
 * ST_i is the share of the variance of the score in which cell i has a part. The standard error is
 * that of the mean over the rows; V counts as known.
 */
export function totalIndices(scores: ArrayLike<number>, cells: number): SobolIndices {
  const rows = scores.length / (cells + 2);
  const independent = Array.from({ length: 2 * rows }, (_, k) =>
    at(scores, (k >> 1) * (cells + 2) + (k & 1)),
  );
  const average = mean(independent);
  const variance =
    independent.reduce((sum, score) => sum + (score - average) ** 2, 0) / (independent.length - 1);
  const total = new Float64Array(cells);
  const standardErrors = new Float64Array(cells);
  if (!(variance > 0)) return { total, standardErrors };
  for (let i = 0; i < cells; i++) {
    const terms = Float64Array.from({ length: rows }, (_, r) => {
      const [whole, changed] = [at(scores, r * (cells + 2)), at(scores, r * (cells + 2) + i + 2)];
      return (whole - changed) ** 2 / (2 * variance);
    });
    const index = mean(terms);
    total[i] = index;
    const squares = terms.reduce((sum, term) => sum + (term - index) ** 2, 0);
    standardErrors[i] = Math.sqrt(squares / rows / Math.max(1, rows - 1));
  }
  return { total, standardErrors };
}

/**
 * Sobol attribution (Fel et al. 2021): cells are dimmed at random, and the map shows the share of
 * the variance of the score in which each cell has a part. The map [H, W] is 0 or positive, without
 * a unit.
 */
export const sobol = defineMethod({
  name: 'sobol',
  title: 'Sobol indices',
  family: 'perturbation',
  paper:
    'Fel, Cadène, Chalvidal, Cord, Vigouroux & Serre, Look at the Variance! Efficient ' +
    'Black-box Explanations with Sobol-based Sensitivity Analysis, NeurIPS 2021, ' +
    'arXiv:2111.04138',
  needs: ['black-box'],
  signed: false,
  cost: 'design · (s² + 2): 2112',
  options: v.object({
    s: gridOption(8),
    design: option(
      v.pipe(integer, v.minValue(2), v.maxValue(100_000)),
      32,
      'number of rows of the design; each row has s² + 2 masks',
    ),
    baseline: baselineOption,
  }),
  /** The grid has fewer cells if the budget does not allow `ROWS_BEFORE_OFFERING` rows. */
  withBudget(options, budget) {
    const rowsFor = (s: number) => Math.floor(budget / (s ** 2 + 2));
    const least = Math.min(2, options.s);
    requireBudget('sobol', budget, 2 * (least ** 2 + 2));
    let { s } = options;
    while (s > least && rowsFor(s) < Math.min(ROWS_BEFORE_OFFERING, options.design)) s--;
    return { ...options, s, design: Math.min(options.design, rowsFor(s)) };
  },

  async explain(context) {
    const { model, input, targets, options, random } = context;
    const { s, design: rows, baseline } = options;
    const [, , height = 0, width = 0] = input.shape;
    const cells = s * s;
    const perRow = cells + 2;
    const masks = sobolDesign(rows, cells, random);
    const mapOf = (values: Float64Array) => gridMap(values, s, height, width);
    const { scores, done } = await scoreInParts(context, {
      baseline: createBaseline(baseline, model, input),
      count: rows * perRow,
      partSize: Math.ceil(rows / OFFERS) * perRow,
      perturbation: tileMasks(masks, s, height, width),
      intermediate: (_, own, n) =>
        n / perRow < ROWS_BEFORE_OFFERING
          ? undefined
          : {
              map: mapOf(totalIndices(own.subarray(0, n), cells).total),
              detail: { rows: n / perRow },
            },
    });
    return targets.map((_, t): Attribution => {
      const { total, standardErrors } = totalIndices(at(scores, t).subarray(0, done), cells);
      return {
        map: mapOf(total),
        standardError: mapOf(standardErrors),
        extras: { rows: done / perRow, indices: [...total] },
      };
    });
  },
});
