import { FoveaError } from '../errors.ts';
import { at } from '../tensor/at.ts';
import { mean, quantile, sum } from '../tensor/statistics.ts';
import type { Curve, Score } from './metric.ts';
import { activated } from './shared/threshold.ts';

/**
 * The number of pixels of a map above `threshold`, a share of the range of the map (0.3 by
 * default). A constant map has 0.
 */
export function activatedPixels(map: ArrayLike<number>, threshold = 0.3): number {
  return sum(activated(map, threshold));
}

/**
 * The score of one picture (null if the metric has no value), and the number of activated pixels of
 * its map.
 */
export interface LevelSample {
  readonly value: number | null;
  readonly activatedPixels: number;
}

/** An average over pictures. */
export interface LevelAverage {
  /** Null if no picture has a score. */
  readonly value: number | null;
  /** The number of pictures in the average. */
  readonly count: number;
  /**
   * The number of pictures that are left out: without a score, or (at pixel level) without an
   * activated pixel.
   */
  readonly excluded: number;
}

function average(samples: readonly unknown[], values: readonly number[]): LevelAverage {
  const { length } = values;
  return {
    value: length === 0 ? null : mean(values),
    count: length,
    excluded: samples.length - length,
  };
}

/**
 * Image level: the plain mean of the scores.
 *   1/N sum_i v_i
 * Source: Vasu & Long, IASSA, WACV 2020, Table 1.
 */
export function imageLevel(samples: readonly Pick<LevelSample, 'value'>[]): LevelAverage {
  return average(
    samples,
    samples.flatMap(({ value }) => (value === null ? [] : [value])),
  );
}

/**
 * Pixel level: the mean of the scores per activated pixel, in score units per pixel (the paper
 * prints multiples of 10⁻⁵).
 *   1/N sum_i v_i / a_i,  a_i = activated pixels of map i
 * For deletion lower is still better, but a map with more activated pixels gets a better value.
 * Source: Vasu & Long, IASSA, WACV 2020, Table 1.
 */
export function pixelLevel(samples: readonly LevelSample[]): LevelAverage {
  return average(
    samples,
    samples.flatMap(({ value, activatedPixels: pixels }) =>
      value === null || pixels === 0 ? [] : [value / pixels],
    ),
  );
}

type Ratio = NonNullable<Score['ratios']>[number];

/** The mean of the ratios whose denominator is not 0. */
export function meanRatio(ratios: readonly Ratio[]): number {
  const there = ratios.filter(([, denominator]) => denominator > 0);
  return (
    there.reduce((sum, [numerator, denominator]) => sum + numerator / denominator, 0) / there.length
  );
}

/**
 * Data-set level, for metrics whose scores have `ratios` (pixel accuracy, mean IoU): numerators and
 * denominators are summed over the pictures, then divided, then averaged. Large objects have more
 * weight than in the plain mean.
 *   1/K sum_k (sum_i n_ik / sum_i d_ik)
 * Source: the segmentation protocol of Chefer, Gur & Wolf, CVPR 2021.
 */
export function dataSetLevel(scores: readonly Pick<Score, 'ratios'>[]): LevelAverage {
  const rows = scores.flatMap(({ ratios }) => (ratios ? [ratios] : []));
  const sums = rows[0]?.map((_, k): Ratio => {
    const total = (part: 0 | 1) => rows.reduce((sum, ratios) => sum + at(ratios, k)[part], 0);
    return [total(0), total(1)];
  });
  return {
    value: sums ? meanRatio(sums) : null,
    count: rows.length,
    excluded: scores.length - rows.length,
  };
}

/** The mean of many curves, and the area under it. */
export interface CurveAverage extends LevelAverage {
  readonly curve: Curve | null;
}

/**
 * Curve level, for metrics whose curves have the same x (SIC, AIC, deletion with inputs of one
 * size): the median (or mean) of the curves at each point, and the area under this curve by the
 * trapezoid rule. The published SIC and AIC are medians.
 * @throws FoveaError `usage` if the curves have different x. Source: Kapishnikov et al., XRAI, ICCV
 * 2019, and PAIR's `saliency` library.
 */
export function curveLevel(
  scores: readonly Pick<Score, 'value' | 'curve'>[],
  by: 'median' | 'mean' = 'median',
): CurveAverage {
  const curves = scores.flatMap(({ value, curve }) => (value === null || !curve ? [] : [curve]));
  const excluded = scores.length - curves.length;
  if (curves.length === 0) return { value: null, count: 0, excluded, curve: null };
  const { x } = at(curves, 0);
  if (
    curves.some((curve) => curve.x.length !== x.length || curve.x.some((each, i) => each !== x[i]))
  ) {
    throw new FoveaError(
      'usage',
      'curves with different points cannot be averaged: score all pictures with the same ' +
        'options and size',
    );
  }
  const middle = (values: readonly number[]) =>
    by === 'median'
      ? quantile(
          [...values].sort((a, b) => a - b),
          0.5,
        )
      : mean(values);
  const y = x.map((_, i) => middle(curves.map((curve) => at(curve.y, i))));
  const strip = (right: number, i: number): number =>
    ((right + at(y, i)) / 2) * (at(x, i + 1) - at(x, i));
  const value = y.slice(1).reduce((sum, right, i) => sum + strip(right, i), 0);
  return { value, count: curves.length, excluded, curve: { x, y } };
}
