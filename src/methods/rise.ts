import * as v from 'valibot';
import { upsamplingMatrix } from '../image/upsampling.ts';
import { baselineOption, createBaseline } from '../model/input/baseline.ts';
import type { Grids } from '../model/perturbation.ts';
import { integer, number, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { type Tensor, tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { gridOption, weightedMaskSum } from './shared/grid-sums.ts';
import { relativeError } from './shared/relative-error.ts';

const options = v.object({
  N: option(v.pipe(integer, v.minValue(2), v.maxValue(1_000_000)), 4000, 'number of masks'),
  s: gridOption(7),
  p1: option(
    v.pipe(number, v.gtValue(0), v.maxValue(1)),
    0.5,
    'probability that a cell shows the picture',
  ),
  tolerance: option(
    v.pipe(number, v.minValue(0)),
    0,
    'stop when the mean standard error is below this share of the range of the map; 0: use ' +
      'all N masks',
  ),
  baseline: baselineOption,
});

/**
 * The masks are scored in this many equal groups. Each group gives a map, and the spread of these
 * maps gives the standard error.
 */
const GROUPS = 40;
/** No stop before this many groups, because the spread of fewer groups is not reliable. */
const GROUPS_BEFORE_STOPPING = 8;

/**
 * Draws N random grids of s × s cells. Each cell is 1 with probability p1, else 0. A grid is
 * upsampled to (s + 1) · ceil(side / s) pixels and cropped at a random shift of less than one cell.
 */
export function riseMasks(
  count: number,
  s: number,
  p1: number,
  height: number,
  width: number,
  random: Random,
): Grids {
  const [cellHeight, cellWidth] = [Math.ceil(height / s), Math.ceil(width / s)];
  const grids = new Float32Array(count * s * s);
  const shifts = new Int32Array(2 * count);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < s * s; i++) grids[n * s * s + i] = random.uniform() < p1 ? 1 : 0;
    shifts[2 * n] = random.integer(cellHeight);
    shifts[2 * n + 1] = random.integer(cellWidth);
  }
  return riseGrids(tensor([count, s, s], grids), shifts, height, width);
}

/** The masks of given cells [n, s, s] and shifts [n * 2], with the upsampling of RISE. */
export function riseGrids(grids: Tensor, shifts: Int32Array, height: number, width: number): Grids {
  const [, rows, columns] = grids.shape;
  return {
    kind: 'grids',
    grids,
    shifts,
    rows: upsamplingMatrix('reflect', rows, (rows + 1) * Math.ceil(height / rows)),
    columns: upsamplingMatrix('reflect', columns, (columns + 1) * Math.ceil(width / columns)),
  };
}

/** S = 1 / (N p1) · sum_i f(x ⊙ M_i) M_i   (Petsiuk et al. 2018, eq. 6) */
export function riseMap(
  masks: Grids,
  scores: ArrayLike<number>,
  p1: number,
  height: number,
  width: number,
): Tensor {
  const sum = weightedMaskSum(masks, scores, height, width);
  const count = masks.grids.shape[0];
  return tensor(
    [height, width],
    Float32Array.from(sum, (value) => value / (count * p1)),
  );
}

/**
 * The mean and the standard error of the maps of several groups of masks, weighted by the sizes of
 * the groups.
 */
class GroupMaps {
  readonly mean: Float64Array;
  readonly squares: Float64Array;
  private readonly shape: readonly [number, number];
  weight = 0;
  groups = 0;

  constructor(height: number, width: number) {
    this.shape = [height, width];
    this.mean = new Float64Array(height * width);
    this.squares = new Float64Array(height * width);
  }

  /** West (1979): mean and weighted squares, updated in one pass without cancellation. */
  add(map: Tensor, weight: number): void {
    this.groups++;
    this.weight += weight;
    for (let i = 0; i < map.data.length; i++) {
      const delta = map.data[i] - this.mean[i];
      this.mean[i] += (delta * weight) / this.weight;
      this.squares[i] += weight * delta * (map.data[i] - this.mean[i]);
    }
  }

  map(): Tensor {
    return tensor(this.shape, Float32Array.from(this.mean));
  }

  /** Standard error of a mean of G groups: sqrt( sum_g w_g (m_g - m)² / (w (G - 1)) ). */
  standardError(): Tensor {
    const scale = this.weight * Math.max(1, this.groups - 1);
    return tensor(
      this.shape,
      Float32Array.from(this.squares, (value) => Math.sqrt(Math.max(0, value) / scale)),
    );
  }

  /** The mean standard error, divided by the range of the map. */
  relativeError(): number {
    return relativeError(this.mean, this.standardError().data);
  }
}

/**
 * RISE (Petsiuk, Das & Saenko 2018): the expected score if a pixel is seen, estimated with random
 * smooth masks. The map [H, W] is 0 … 1 (probability), up to sampling noise.
 */
export const rise = defineMethod({
  name: 'rise',
  title: 'RISE',
  family: 'perturbation',
  paper:
    'Petsiuk, Das & Saenko, RISE: Randomized Input Sampling for Explanation of Black-box ' +
    'Models, BMVC 2018, arXiv:1806.07421',
  needs: ['black-box'],
  signed: false,
  cost: 'N: 4000',
  options,
  withBudget(options, budget) {
    requireBudget('rise', budget, 2);
    return { ...options, N: Math.min(options.N, budget) };
  },

  async explain({
    model,
    input,
    targets,
    options: { N, s, p1, tolerance, baseline },
    random,
    batchSize,
    progress,
    offer,
  }) {
    const [, , height, width] = input.shape;
    const background = createBaseline(baseline, model, input);
    const maps = targets.map(() => new GroupMaps(height, width));
    const groupSize = Math.ceil(N / GROUPS);
    const content = targets.map(() => false);
    const stopped = targets.map(() => 'masks');
    for (let done = 0; done < N && !content.every(Boolean); ) {
      const count = Math.min(groupSize, N - done);
      const masks = riseMasks(count, s, p1, height, width, random);
      const scores = await model.perturb({
        input,
        baseline: background,
        perturbation: masks,
        targets: targets.map((target) => target.index),
        batchSize,
        onProgress: (part) => progress((done + part) / N),
      });
      done += count;
      targets.forEach((target, t) => {
        const column = Float32Array.from(
          { length: count },
          (_, n) => scores.data[n * targets.length + t],
        );
        maps[t].add(riseMap(masks, column, p1, height, width), count);
        const error = maps[t].groups > 1 ? maps[t].relativeError() : null;
        content[t] = offer({
          target,
          map: maps[t].map(),
          ...(error !== null && { standardError: maps[t].standardError() }),
          detail: { masks: done, relativeError: error },
        });
        stopped[t] = content[t] ? 'content' : 'masks';
        if (maps[t].groups < GROUPS_BEFORE_STOPPING || error === null || error >= tolerance) return;
        content[t] = true;
        stopped[t] = 'converged';
      });
    }
    return maps.map(
      (m, t): Attribution => ({
        map: m.map(),
        standardError: m.groups > 1 ? m.standardError() : undefined,
        extras: { masks: m.weight, stopped: stopped[t] },
      }),
    );
  },
});
