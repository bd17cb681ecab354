import { at } from '../../tensor/at.ts';
import { mean, sum } from '../../tensor/statistics.ts';
import { tensor } from '../../tensor/tensor.ts';
import { type CellGrid, type SmoothFit, SmoothRegression } from '../shared/smooth-regression.ts';
import type { Attention } from './attention.ts';
import { stretched } from './region.ts';

/** Effects of cells at this distance are alike: 3 of 28 cells, 24 of 224 pixels. */
const LENGTH = 3 / 28;
/** The weights of S against A S that are compared. 1 is no attention. */
const BETAS = [1, 0.9, 0.8, 0.7, 0.6, 0.5];

/** The score of one picture that shows a mask. */
interface Row {
  readonly mask: Float32Array;
  readonly score: number;
  readonly group: string;
}

/** The map of one target on the grid of cells, and its standard error. */
export interface CellMap extends SmoothFit {
  /** The weight of S against A S. */
  readonly beta: number;
}

/** A S, stretched to the range of S (see `adjust`). */
function attend(attention: Attention, { height, width }: CellGrid, sampled: Float64Array) {
  const map = tensor([height, width], Float32Array.from(sampled));
  return stretched(attention.apply(map).data, map.data);
}

/** S' = beta S + (1 - beta) A S (Vasu & Long 2020, eq. 6). */
const blend = (own: Float64Array, other: Float64Array, beta: number) =>
  own.map((value, i) => beta * value + (1 - beta) * at(other, i));

/** The squared errors of the scores that a map predicts, apart from one constant per group. */
function squaredError(rows: readonly Row[], map: Float64Array): number {
  const groups = new Map<string, number[]>();
  for (const { mask, score, group } of rows) {
    let predicted = 0;
    for (let i = 0; i < map.length; i++) predicted += at(mask, i) * at(map, i);
    const errors = groups.get(group) ?? [];
    groups.set(group, errors);
    errors.push(score - predicted);
  }
  return sum(
    [...groups.values()].map((errors) => {
      const middle = mean(errors);
      return sum(errors.map((error) => (error - middle) ** 2));
    }),
  );
}

/** The evidence about one target. */
export class Estimate {
  private readonly grid: CellGrid;
  private readonly attention: Attention | undefined;
  private readonly all: SmoothRegression;
  /** The even and the odd rows, if attention must prove itself. */
  private readonly halves: readonly [SmoothRegression, SmoothRegression];
  private readonly rows: readonly [Row[], Row[]] = [[], []];

  constructor(grid: CellGrid, attention: Attention | undefined) {
    const length = LENGTH * Math.min(grid.height, grid.width);
    this.grid = grid;
    this.attention = attention;
    this.all = new SmoothRegression(grid, length);
    this.halves = [new SmoothRegression(grid, length), new SmoothRegression(grid, length)];
  }

  /** Adds the scores of pictures that show masks. The masks of a group share a constant. */
  add(masks: readonly Float32Array[], scores: ArrayLike<number>, group: string): void {
    masks.forEach((mask, i) => {
      const score = at(scores, i);
      this.all.add(mask, score, group);
      if (!this.attention) return;
      const half = i % 2 === 0 ? 0 : 1;
      this.halves[half].add(mask, score, group);
      this.rows[half].push({ mask, score, group });
    });
  }

  /**
   * The weight of S against A S that predicts the scores of one half of the masks best from the map
   * of the other half. So attention is used only as far as it foretells the model, and not at all if
   * it does not.
   */
  private bestBeta(attention: Attention): number {
    const maps = this.halves.map((half) => half.fit().values);
    const attended = maps.map((map) => attend(attention, this.grid, map));
    const errors = BETAS.map((beta) =>
      sum(
        [0, 1].map((h) =>
          squaredError(at(this.rows, 1 - h), blend(at(maps, h), at(attended, h), beta)),
        ),
      ),
    );
    return at(BETAS, errors.indexOf(Math.min(...errors)));
  }

  /** The map from all scores so far. */
  map(): CellMap {
    const fit = this.all.fit();
    if (!this.attention) return { ...fit, beta: 1 };
    const beta = this.bestBeta(this.attention);
    const attended = beta < 1 ? attend(this.attention, this.grid, fit.values) : fit.values;
    return { ...fit, values: blend(fit.values, attended, beta), beta };
  }
}
