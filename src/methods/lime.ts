import * as v from 'valibot';
import { integer, number, option } from '../options.ts';
import type { Segmentation } from '../superpixels/superpixels.ts';
import { at } from '../tensor/at.ts';
import { sum } from '../tensor/statistics.ts';
import { tensor } from '../tensor/tensor.ts';
import { type Attribution, defineMethod } from './method.ts';
import { requireBudget } from './shared/budget.ts';
import { type Fit, ridge } from './shared/least-squares.ts';
import { scoreInParts } from './shared/score-parts.ts';
import { paintSegments, regionOf, topSegments } from './shared/segment-maps.ts';
import { hiddenPicture, superpixelOptions, superpixels, topOption } from './shared/superpixels.ts';

/** The samples are scored in this many parts. An intermediate map is offered after each part. */
const OFFERS = 10;

/**
 * The weight of each sample, [n], 0 … 1: sqrt( exp( -d² / width² ) ). d is the cosine distance
 * between the 0/1 row of the sample and a row of ones, 1 - sqrt( superpixels shown / superpixels ).
 */
export function limeKernel(samples: ArrayLike<number>, parts: number, width: number): Float64Array {
  return Float64Array.from({ length: samples.length / parts }, (_, n) => {
    let shown = 0;
    for (let i = 0; i < parts; i++) shown += at(samples, n * parts + i);
    const distance = 1 - Math.sqrt(shown / parts);
    return Math.sqrt(Math.exp(-((distance / width) ** 2)));
  });
}

/** Fits the local linear model to samples [n, parts] of 0 and 1 and their scores [n]. */
export function limeFit(
  samples: ArrayLike<number>,
  scores: ArrayLike<number>,
  parts: number,
  width: number,
  alpha: number,
): Fit {
  return ridge(samples, scores, limeKernel(samples, parts, width), parts, alpha);
}

/** The attribution of a linear model that was fitted to `samples` samples. */
function attributionOf(
  segmentation: Segmentation,
  { coefficients, intercept, r2, standardErrors }: Fit,
  samples: number,
  most: number,
): Attribution {
  const top = topSegments(coefficients, most);
  return {
    map: paintSegments(segmentation, coefficients),
    region: regionOf(segmentation, top),
    standardError: paintSegments(segmentation, standardErrors),
    extras: {
      segments: segmentation.count,
      samples,
      weights: [...coefficients],
      intercept,
      r2,
      prediction: intercept + sum(coefficients),
      top,
    },
  };
}

/**
 * LIME on superpixels (Ribeiro, Singh & Guestrin 2016): fits a linear model of the score near the
 * picture. The map [H, W] has the weight of each superpixel. It is signed and in probability.
 */
export const lime = defineMethod({
  name: 'lime',
  title: 'LIME',
  family: 'perturbation',
  paper:
    'Ribeiro, Singh & Guestrin, “Why Should I Trust You?”: Explaining the Predictions of ' +
    'Any Classifier, KDD 2016, arXiv:1602.04938',
  needs: ['black-box'],
  signed: true,
  cost: 'N: 1000',
  options: v.object({
    N: option(
      v.pipe(integer, v.minValue(2), v.maxValue(1_000_000)),
      1000,
      'number of samples; the first sample is the whole picture',
    ),
    ...superpixelOptions('quickshift', 'segment-mean'),
    kernelWidth: option(
      v.pipe(number, v.gtValue(0)),
      0.25,
      'width of the kernel that weighs samples by their cosine distance to the whole picture',
    ),
    alpha: option(v.pipe(number, v.minValue(0)), 1, 'ridge penalty'),
    top: topOption('weights'),
  }),
  withBudget(options, budget) {
    requireBudget('lime', budget, 2);
    return { ...options, N: Math.min(options.N, budget) };
  },

  async explain(context) {
    const { model, input, targets, options, random } = context;
    const { N, kernelWidth, alpha } = options;
    const segmentation = superpixels(options.segmentation, options.segments, model, input);
    const parts = segmentation.count;
    const samples = Float32Array.from({ length: N * parts }, (_, i) =>
      i < parts || random.uniform() < 0.5 ? 1 : 0,
    );
    const linearModel = (scores: Float64Array, n: number) =>
      limeFit(samples.subarray(0, n * parts), scores.subarray(0, n), parts, kernelWidth, alpha);
    const { scores, done } = await scoreInParts(context, {
      baseline: hiddenPicture(options.hidden, segmentation, model, input),
      count: N,
      partSize: Math.ceil(N / OFFERS),
      perturbation: (from, to) => ({
        kind: 'segments',
        labels: segmentation.labels,
        bits: tensor([to - from, parts], samples.subarray(from * parts, to * parts)),
      }),
      intermediate: (_, own, n) => ({
        map: paintSegments(segmentation, linearModel(own, n).coefficients),
        detail: { samples: n },
      }),
    });
    return targets.map((_, t) =>
      attributionOf(segmentation, linearModel(at(scores, t), done), done, options.top),
    );
  },
});
