import * as v from 'valibot';
import { integer, option } from '../options.ts';
import type { Random } from '../tensor/random.ts';
import { sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { ridge } from './shared/least-squares.ts';
import {
  HIDDEN_IN_WORDS,
  hiddenOption,
  hiddenPicture,
  paintSegments,
  regionOf,
  segmentationOption,
  segmentsOption,
  superpixels,
  topSegments,
} from './shared/superpixels.ts';

/** Coalitions of superpixels, [n, parts] of 0 and 1, and how much each one weighs in the fit. */
export interface Coalitions {
  readonly samples: Float32Array;
  readonly weights: Float64Array;
  /** Whether they are all there are. */
  readonly enumerated?: boolean;
}

/** Parts after which an intermediate map is offered, as a share of all. */
const OFFERS = 10;

/** Up to this many superpixels all coalitions may be enumerated. */
const MOST_ENUMERATED = 20;

/** π(z) up to a factor, over all coalitions of size z together: (parts - 1) / (z (parts - z)). */
const sizeWeight = (z: number, parts: number): number => (parts - 1) / (z * (parts - z));

function binomial(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= k; i++) result = (result * (n - k + i)) / i;
  return result;
}

/** All coalitions but the empty and the full one. */
function enumerate(parts: number): Coalitions {
  const count = 2 ** parts - 2;
  const samples = new Float32Array(count * parts);
  const weights = new Float64Array(count);
  for (let n = 0; n < count; n++) {
    let size = 0;
    for (let i = 0; i < parts; i++) if (((n + 1) >> i) & 1) size += samples[n * parts + i] = 1;
    weights[n] = sizeWeight(size, parts) / binomial(parts, size);
  }
  return { samples, weights, enumerated: true };
}

/** The first `count` of some coalitions. */
const firstOf = ({ samples, weights }: Coalitions, count: number, parts: number): Coalitions => ({
  samples: samples.subarray(0, count * parts),
  weights: weights.subarray(0, count),
});

/**
 * Coalitions for the fit: all of them where N suffices, with the Shapley kernel as weights; else N
 * drawn from that kernel, each followed by its complement (Covert & Lee 2021), all of equal weight.
 */
export function coalitions(parts: number, N: number, random: Random): Coalitions {
  if (parts <= MOST_ENUMERATED && 2 ** parts - 2 <= N) return enumerate(parts);
  const sizes = Float64Array.from({ length: parts - 1 }, (_, i) => sizeWeight(i + 1, parts));
  const total = sum(sizes);
  const pairs = Math.ceil(N / 2);
  const samples = new Float32Array(2 * pairs * parts);
  const order = Int32Array.from({ length: parts }, (_, i) => i);
  for (let n = 0; n < pairs; n++) {
    let size = 1;
    for (let left = random.uniform() * total - sizes[0]; left > 0 && size < parts - 1; size++)
      left -= sizes[size];
    random.sample(order, size);
    for (let i = 0; i < parts; i++) samples[(2 * n + (i < size ? 0 : 1)) * parts + order[i]] = 1;
  }
  return { samples, weights: new Float64Array(2 * pairs).fill(1) };
}

/** Values of the superpixels and their standard errors. */
export interface ShapleyFit {
  readonly values: Float64Array;
  readonly standardErrors: Float64Array;
}

/**
 * The values φ that fit Σ_z w_z ( f(z) - f(∅) - z · φ )² best while Σ φ_i = f(x) - f(∅)
 * holds exactly: the last value is what the others leave, φ_M = f(x) - f(∅) - Σ φ_i, which
 * turns the fit into one of the others on z_i - z_M.
 */
export function shapleyFit(
  { samples, weights }: Coalitions,
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
  // The last one's error is not in the fit: that of a typical other stands in.
  const typical = sum(standardErrors) / (parts - 1);
  return { values, standardErrors: Float64Array.from([...standardErrors, typical]) };
}

/**
 * KernelSHAP over superpixels: Shapley values of the game whose players are the superpixels and
 * whose prize is the score.
 */
export const kernelShap = defineMethod({
  name: 'kernel-shap',
  title: 'KernelSHAP',
  family: 'perturbation',
  paper:
    'Lundberg & Lee, A Unified Approach to Interpreting Model Predictions, NeurIPS 2017, arXiv:1705.07874',
  needs: ['black-box'],
  signed: true,
  cost: '2 · superpixels + 2048, at most 2^superpixels: about 2,150',
  options: v.object({
    N: option(
      v.pipe(integer, v.minValue(0), v.maxValue(1_000_000)),
      0,
      'coalitions; 0: 2 · superpixels + 2048, as in the authors’ code',
    ),
    segmentation: v.optional(segmentationOption, 'slic'),
    segments: segmentsOption,
    hidden: option(hiddenOption, 'blur', HIDDEN_IN_WORDS),
    top: option(
      v.pipe(integer, v.minValue(1)),
      5,
      'superpixels with the largest positive values that are named in extras.top and shown in the picture of them',
    ),
  }),

  async explain({ model, input, targets, options, random, batchSize, progress, offer }) {
    const segmentation = superpixels(options.segmentation, options.segments, model, input);
    const parts = segmentation.count;
    const drawn =
      parts > 1
        ? coalitions(parts, options.N || 2 * parts + 2048, random)
        : { samples: new Float32Array(), weights: new Float64Array() };
    const count = drawn.weights.length + 2; // the empty and the full one first
    const bits = tensor([count, parts]);
    bits.data.fill(1, parts, 2 * parts);
    bits.data.set(drawn.samples, 2 * parts);
    const shared = {
      input,
      baseline: hiddenPicture(options.hidden, segmentation, model, input),
      targets: targets.map(({ index }) => index),
      batchSize,
    };
    const scores = targets.map(() => new Float64Array(count));
    const estimate = (t: number, n: number) =>
      shapleyFit(
        firstOf(drawn, n - 2, parts),
        scores[t].subarray(2, n),
        parts,
        scores[t][1],
        scores[t][0],
      );
    const content = targets.map(() => false);
    let done = 0;
    while (done < count && !content.every(Boolean)) {
      const some = Math.min(2 * Math.ceil(count / OFFERS / 2), count - done); // pairs of complements stay together
      const perturbation = {
        kind: 'segments',
        labels: segmentation.labels,
        bits: tensor([some, parts], bits.data.subarray(done * parts, (done + some) * parts)),
      } as const;
      const from = done;
      const { data } = await model.perturb({
        ...shared,
        perturbation,
        onProgress: (part) => progress((from + part) / count),
      });
      for (const [t] of targets.entries())
        for (let n = 0; n < some; n++) scores[t][done + n] = data[n * targets.length + t];
      done += some;
      if (done === count || drawn.enumerated || done < 2 * parts + 2) continue; // the first of an enumeration say nothing about all
      targets.forEach((target, t) => {
        content[t] = offer({
          target,
          map: paintSegments(segmentation, estimate(t, done).values),
          calls: done,
          detail: { coalitions: done - 2 },
        });
      });
    }
    return targets.map((_, t): Attribution => {
      const { values, standardErrors } = estimate(t, done);
      const top = topSegments(values, options.top);
      return {
        map: paintSegments(segmentation, values),
        standardError: paintSegments(segmentation, standardErrors),
        region: regionOf(segmentation, top),
        extras: {
          segments: parts,
          coalitions: done - 2,
          values: [...values],
          whole: scores[t][1],
          empty: scores[t][0],
          top,
        },
      };
    });
  },
});
