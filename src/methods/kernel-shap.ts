import * as v from 'valibot';
import { FoveaError } from '../errors.ts';
import { integer, option } from '../options.ts';
import type { Segmentation } from '../superpixels/superpixels.ts';
import type { Random } from '../tensor/random.ts';
import { sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { ridge } from './shared/least-squares.ts';
import { scoreInParts } from './shared/score-parts.ts';
import { paintSegments, regionOf, topSegments } from './shared/segment-maps.ts';
import { hiddenPicture, superpixelOptions, superpixels, topOption } from './shared/superpixels.ts';

/** Coalitions of superpixels, [n, parts] of 0 and 1, and the weight of each in the fit. */
export interface Coalitions {
  readonly samples: Float32Array;
  readonly weights: Float64Array;
  /** Whether these are all coalitions. */
  readonly enumerated?: boolean;
  /** The first `least` coalitions are enough to determine the values. */
  readonly least: number;
}

/** The coalitions are scored in this many parts. An intermediate map is offered after each part. */
const OFFERS = 10;

/** The largest number of superpixels for which all coalitions may be enumerated. */
const MOST_ENUMERATED = 20;

/**
 * The Shapley kernel, up to a factor, summed over all coalitions of size z: (parts - 1) / (z (parts
 * - z)).
 */
const sizeWeight = (z: number, parts: number): number => (parts - 1) / (z * (parts - z));

function binomial(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}

/** All coalitions except the empty one and the full one. */
function enumerate(parts: number): Coalitions {
  const count = 2 ** parts - 2;
  const samples = new Float32Array(count * parts);
  const weights = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    let size = 0;
    for (let i = 0; i < parts; i++) if (((n + 1) >> i) & 1) size += samples[n * parts + i] = 1;
    weights[n] = sizeWeight(size, parts) / binomial(parts, size);
  }
  return { samples, weights, enumerated: true, least: count };
}

/** The first `count` coalitions. */
const firstOf = (
  { samples, weights, least }: Coalitions,
  count: number,
  parts: number,
): Coalitions => ({
  least,
  samples: samples.subarray(0, count * parts),
  weights: weights.subarray(0, count),
});

/**
 * Draws a coalition from the Shapley kernel. Writes it and then its complement into `into` [2 ·
 * parts], which must contain zeros.
 */
type DrawPair = (into: Float32Array) => void;

function pairDrawer(parts: number, random: Random): DrawPair {
  const sizes = Float64Array.from({ length: parts - 1 }, (_, i) => sizeWeight(i + 1, parts));
  const total = sum(sizes);
  const order = Int32Array.from({ length: parts }, (_, i) => i);
  return (into) => {
    let size = 1;
    for (let left = random.uniform() * total - sizes[0]; left > 0 && size < parts - 1; size++)
      left -= sizes[size];
    random.sample(order, size);
    for (let i = 0; i < parts; i++) into[(i < size ? 0 : parts) + order[i]] = 1;
  };
}

/**
 * Gaussian elimination, row by row. It detects when the rows z - z_M determine all values. The
 * complement of a coalition gives the same row with the opposite sign, so it adds nothing.
 */
class Elimination {
  private readonly rows = new Map<number, Float64Array>();
  private readonly parts: number;

  constructor(parts: number) {
    this.parts = parts;
  }

  get isComplete(): boolean {
    return this.rows.size === this.parts - 1;
  }

  /** Adds the row of a coalition z [parts]. */
  add(z: Float32Array): void {
    const last = z[this.parts - 1];
    const row = Float64Array.from({ length: this.parts - 1 }, (_, i) => z[i] - last);
    for (let pivot = 0; pivot < row.length; pivot++) {
      if (Math.abs(row[pivot]) < 1e-9) continue;
      const known = this.rows.get(pivot);
      const factor = row[pivot];
      if (!known) {
        this.rows.set(
          pivot,
          row.map((value) => value / factor),
        );
        return;
      }
      for (let i = pivot; i < row.length; i++) row[i] -= factor * known[i];
    }
  }
}

/**
 * Coalitions for the fit. If N is large enough, these are all coalitions, with the Shapley kernel
 * as weights. Otherwise N coalitions are drawn from that kernel, each followed by its complement
 * (Covert & Lee 2021), with equal weights.
 * @throws FoveaError `usage` if N coalitions do not determine the values. The message names the
 * least sufficient N.
 */
export function coalitions(parts: number, N: number, random: Random): Coalitions {
  const all = parts <= MOST_ENUMERATED ? 2 ** parts - 2 : Number.POSITIVE_INFINITY;
  if (all <= N) return enumerate(parts);
  const pairs = Math.ceil(N / 2);
  const draw = pairDrawer(parts, random);
  const samples = new Float32Array(2 * pairs * parts);
  const elimination = new Elimination(parts);
  let least = 0;
  for (let n = 0; n < pairs; n++) {
    const pair = samples.subarray(2 * n * parts, 2 * (n + 1) * parts);
    draw(pair);
    if (elimination.isComplete) continue;
    elimination.add(pair);
    least = 2 * (n + 1);
  }
  for (; !elimination.isComplete; least += 2) {
    const pair = new Float32Array(2 * parts);
    draw(pair);
    elimination.add(pair);
  }
  if (least > 2 * pairs) {
    throw new FoveaError(
      'usage',
      `kernel-shap.N = ${N} does not determine the values of ${parts} superpixels: ` +
        `expected at least ${Math.min(least, all)}, or fewer superpixels`,
    );
  }
  return { samples, weights: new Float64Array(2 * pairs).fill(1), least };
}

/** The number of coalitions for N = 0, as in the authors' code. */
const usualCount = (parts: number): number => 2 * parts + 2048;

/** The least number of coalitions per superpixel that a budget allows. */
const COALITIONS_PER_PART = 4;

/** Coalitions for the option N. A single part needs no coalitions. */
function drawCoalitions(parts: number, N: number, random: Random): Coalitions {
  if (parts > 1) return coalitions(parts, N || usualCount(parts), random);
  return { samples: new Float32Array(), weights: new Float64Array(), least: 0 };
}

/** The values of the superpixels and their standard errors, both [parts]. */
export interface ShapleyFit {
  readonly values: Float64Array;
  readonly standardErrors: Float64Array;
}

/**
 * The values φ that minimize Σ_z w_z ( f(z) - f(∅) - z · φ )² under the constraint Σ φ_i = f(x) -
 * f(∅). The constraint eliminates the last value, φ_M = f(x) - f(∅) - Σ φ_i over the others. So the
 * fit is a regression of the other values on z_i - z_M.
 */
export function shapleyFit(
  { samples, weights }: Pick<Coalitions, 'samples' | 'weights'>,
  scores: ArrayLike<number>,
  parts: number,
  whole: number,
  empty: number,
): ShapleyFit {
  const gain = whole - empty;
  if (parts === 1) return { values: Float64Array.of(gain), standardErrors: new Float64Array(1) };
  const count = scores.length;
  const x = new Float64Array(count * (parts - 1));
  const y = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    const last = samples[n * parts + parts - 1];
    for (let i = 0; i + 1 < parts; i++) x[n * (parts - 1) + i] = samples[n * parts + i] - last;
    y[n] = scores[n] - empty - last * gain;
  }
  const { coefficients, standardErrors } = ridge(x, y, weights, parts - 1, 0, false);
  const values = Float64Array.from([...coefficients, 0]);
  values[parts - 1] = gain - sum(coefficients);
  // The fit has no error for the last value. The mean error of the others replaces it.
  const typical = sum(standardErrors) / (parts - 1);
  return { values, standardErrors: Float64Array.from([...standardErrors, typical]) };
}

/**
 * The attribution of fitted values. `scores` has the score of ∅, of the whole picture, and of the
 * coalitions.
 */
function attributionOf(
  segmentation: Segmentation,
  { values, standardErrors }: ShapleyFit,
  scores: Float64Array,
  most: number,
): Attribution {
  const top = topSegments(values, most);
  const [empty = 0, whole = 0] = scores;
  return {
    map: paintSegments(segmentation, values),
    standardError: paintSegments(segmentation, standardErrors),
    region: regionOf(segmentation, top),
    extras: {
      segments: segmentation.count,
      coalitions: scores.length - 2,
      values: [...values],
      whole,
      empty,
      top,
    },
  };
}

/**
 * KernelSHAP over superpixels (Lundberg & Lee 2017): the Shapley value of each superpixel, in a
 * game in which the superpixels are the players and the score is the gain. The map [H, W] is signed
 * and in probability. The values add up to f(x) - f(all hidden).
 */
export const kernelShap = defineMethod({
  name: 'kernel-shap',
  title: 'KernelSHAP',
  family: 'perturbation',
  paper:
    'Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, ' +
    'arXiv:1705.07874',
  needs: ['black-box'],
  signed: true,
  cost: '2 · superpixels + 2048, at most 2^superpixels: about 2,150',
  options: v.object({
    N: option(
      v.pipe(integer, v.minValue(0), v.maxValue(1_000_000)),
      0,
      'number of coalitions; 0: 2 · superpixels + 2048, as in the authors’ code',
    ),
    ...superpixelOptions('slic', 'blur'),
    top: topOption('values'),
  }),
  /** Fewer coalitions determine the values of fewer superpixels, so `segments` may fall too. */
  withBudget(options, budget) {
    const fewest = 4; // superpixels
    requireBudget('kernel-shap', budget, COALITIONS_PER_PART * fewest + 2);
    const wanted = options.N || usualCount(options.segments);
    const N = Math.min(wanted, 2 * Math.floor((budget - 2) / 2));
    const segments = Math.max(fewest, Math.floor(N / COALITIONS_PER_PART));
    return { ...options, N, segments: Math.min(options.segments, segments) };
  },

  async explain(context) {
    const { model, input, targets, options, random } = context;
    const segmentation = superpixels(options.segmentation, options.segments, model, input);
    const parts = segmentation.count;
    const drawn = drawCoalitions(parts, options.N, random);
    const count = drawn.weights.length + 2; // the empty and the full coalition come first
    const bits = tensor([count, parts]);
    bits.data.fill(1, parts, 2 * parts);
    bits.data.set(drawn.samples, 2 * parts);
    const estimate = (scores: Float64Array, n: number) => {
      const [empty = 0, whole = 0] = scores;
      return shapleyFit(firstOf(drawn, n - 2, parts), scores.subarray(2, n), parts, whole, empty);
    };
    const { scores, done } = await scoreInParts(context, {
      baseline: hiddenPicture(options.hidden, segmentation, model, input),
      count,
      partSize: 2 * Math.ceil(count / OFFERS / 2), // pairs of complements stay together
      perturbation: (from, to) => ({
        kind: 'segments',
        labels: segmentation.labels,
        bits: tensor([to - from, parts], bits.data.subarray(from * parts, to * parts)),
      }),
      intermediate: (_, own, n) =>
        // The first coalitions of an enumeration are not a random sample.
        drawn.enumerated || n < Math.max(2 * parts, drawn.least) + 2
          ? undefined
          : {
              map: paintSegments(segmentation, estimate(own, n).values),
              detail: { coalitions: n - 2 },
            },
    });
    return targets.map((_, t) =>
      attributionOf(
        segmentation,
        estimate(scores[t], done),
        scores[t].subarray(0, done),
        options.top,
      ),
    );
  },
});
