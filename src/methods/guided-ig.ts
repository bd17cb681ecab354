import * as v from 'valibot';
import { createBaseline } from '../model/input/baseline.ts';
import { INPUT } from '../model/model.ts';
import { integer, number, option } from '../options.ts';
import { slab, tensor } from '../tensor/tensor.ts';
import { defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import {
  gradientsOf,
  pixelAttribution,
  pixelOptions,
  sumOfDifference,
} from './shared/gradients.ts';
import { fullBaseline, pathBaselineOption } from './shared/path.ts';

/** The relative difference up to which two distances count as equal. */
const CLOSE = 1e-9;

const isClose = (a: number, b: number): boolean =>
  Math.abs(a - b) <= CLOSE * Math.max(1, Math.abs(a), Math.abs(b));

/** The element at position `k` of the sorted values (Hoare's selection). */
function smallest(values: Float64Array, k: number): number {
  const a = values.slice();
  for (let [left, right] = [0, a.length - 1]; left < right; ) {
    const pivot = a[k];
    let [i, j] = [left, right];
    while (i <= j) {
      while (a[i] < pivot) i++;
      while (a[j] > pivot) j--;
      if (i <= j) {
        [a[i], a[j]] = [a[j], a[i]];
        i++;
        j--;
      }
    }
    if (j < k) left = i;
    if (i > k) right = j;
  }
  return a[k];
}

/** One path from a baseline to a picture, and the attribution that it has collected so far. */
class GuidedPath {
  readonly x: Float64Array;
  readonly attribution: Float64Array;
  private readonly start: Float64Array;
  private readonly end: Float64Array;
  private readonly way: Float64Array;
  private readonly length: number;

  constructor(start: Float64Array, end: Float64Array) {
    this.start = start;
    this.end = end;
    this.way = end.map((value, i) => value - start[i]);
    this.x = start.slice();
    this.attribution = new Float64Array(start.length);
    this.length = this.way.reduce((sum, value) => sum + Math.abs(value), 0);
  }

  /**
   * Moves the elements with the smallest gradients until the point has covered the share `done` of
   * the distance. Each element stays within `band` of the straight path.
   */
  step(gradient: Float32Array, done: number, fraction: number, band: number): void {
    const { x, start, way, end } = this;
    const [low, high] = [Math.max(done - band, 0), Math.min(done + band, 1)];
    const least = way.map((w, i) => start[i] + w * low);
    const most = way.map((w, i) => start[i] + w * high);
    const wanted = this.length * (1 - done);
    const magnitude = Float64Array.from(gradient, Math.abs);
    for (let gamma = Number.POSITIVE_INFINITY; gamma > 1; ) {
      const before = x.slice();
      const gone = way.map((w, i) => (w !== 0 ? (x[i] - start[i]) / w : high));
      gone.forEach((alpha, i) => {
        if (alpha < low) x[i] = least[i];
      });
      const rest = x.reduce((sum, value, i) => sum + Math.abs(value - end[i]), 0);
      if (isClose(wanted, rest)) gamma = 0;
      else {
        for (let i = 0; i < x.length; i++)
          if (x[i] === most[i]) magnitude[i] = Number.POSITIVE_INFINITY;
        gamma = this.moveSmallest(magnitude, most, rest - wanted, fraction);
      }
      for (let i = 0; i < x.length; i++) this.attribution[i] += (x[i] - before[i]) * gradient[i];
    }
  }

  /**
   * Moves the elements with the smallest gradients, up to `most` or until `gap` is closed. Returns
   * the share of their way that would close the gap.
   */
  private moveSmallest(
    magnitude: Float64Array,
    most: Float64Array,
    gap: number,
    fraction: number,
  ): number {
    const { x } = this;
    const threshold = smallest(magnitude, Math.floor((magnitude.length - 1) * fraction));
    const chosen = (i: number): boolean =>
      magnitude[i] <= threshold && magnitude[i] !== Number.POSITIVE_INFINITY;
    let reach = 0;
    for (let i = 0; i < x.length; i++) if (chosen(i)) reach += Math.abs(x[i] - most[i]);
    // If no element can move, the point cannot come closer.
    if (reach === 0) return 0;
    const gamma = gap / reach;
    for (let i = 0; i < x.length; i++)
      if (chosen(i)) x[i] = gamma > 1 ? most[i] : x[i] + (most[i] - x[i]) * gamma;
    return gamma;
  }
}

/**
 * Guided integrated gradients (Kapishnikov et al. 2021): a path from a baseline to the picture that
 * changes the elements with the smallest gradients first. So the path avoids places where the score
 * jumps for reasons that are not in the picture. The map [H, W] is signed and in the unit of the
 * score.
 *
 *   map = Σ_k (x_{k+1} - x_k) ⊙ dS/dx(x_k)
 */
export const guidedIg = defineMethod({
  name: 'guided-ig',
  title: 'Guided IG',
  family: 'gradient',
  paper:
    'Kapishnikov et al., Guided Integrated Gradients: an Adaptive Path Method for Removing ' +
    'Noise, CVPR 2021, arXiv:2106.09788',
  needs: ['gradients'],
  signed: true,
  cost: 'steps forward and backward, one after the other: 200',
  options: v.object({
    steps: option(v.pipe(integer, v.minValue(1), v.maxValue(10_000)), 200, 'points on the path'),
    fraction: option(
      v.pipe(number, v.gtValue(0), v.maxValue(1)),
      0.25,
      'the share of the elements, those with the smallest gradients, that is moved in one step',
    ),
    maxDistance: option(
      v.pipe(number, v.minValue(0), v.maxValue(1)),
      0.02,
      'the largest distance of an element from the straight path, as a share of its way: 0 ' +
        'is integrated gradients, 1 is no limit',
    ),
    baseline: pathBaselineOption,
    ...pixelOptions,
  }),
  withBudget(options, budget, { targets }) {
    requireBudget('guided-ig', budget, targets);
    return { ...options, steps: Math.min(options.steps, Math.floor(budget / targets)) };
  },
  completeness: sumOfDifference,

  async explain({ model, input, targets, options, batchSize, progress }) {
    const { steps, fraction, maxDistance, output: score } = options;
    const start = Float64Array.from(
      fullBaseline(createBaseline(options.baseline, model, input), input).data,
    );
    const end = Float64Array.from(input.data);
    const paths = targets.map(() => new GuidedPath(start, end));
    const classes = targets.map((target) => target.index);
    for (let step = 0; step < steps; step++) {
      const batch = tensor([paths.length, ...input.shape.slice(1)]);
      paths.forEach((path, t) => batch.data.set(path.x, t * end.length));
      const { gradients } = await gradientsOf(model, {
        batch,
        wrt: [INPUT],
        targets: classes,
        score,
        batchSize,
      });
      paths.forEach((path, t) =>
        path.step(slab(gradients[0], t).data, (step + 1) / steps, fraction, maxDistance),
      );
      progress((step + 1) / steps);
    }
    return paths.map(({ attribution }) => ({
      ...pixelAttribution(attribution, input, options.reduce),
      extras: { sum: attribution.reduce((sum, value) => sum + value, 0) },
    }));
  },
});
