import * as v from 'valibot';
import { gaussianBlur } from '../../image/blur.ts';
import { option } from '../../options.ts';
import { extent, spearman } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/** How two maps are compared. */
export const SIMILARITIES = ['spearman', 'ssim'] as const;

/** The same in words, for the descriptions of options. */
export const SIMILARITIES_IN_WORDS =
  "Spearman's rank correlation of the pixels, or the mean structural similarity";

/** How two maps are compared. */
export const similarityOptions = {
  similarity: option(v.picklist(SIMILARITIES), 'spearman', SIMILARITIES_IN_WORDS),
  absolute: option(v.boolean(), false, 'compare the absolute values of the maps'),
};

/** The map between 0 and 1; 0 everywhere for a constant map. */
function unit({ shape, data }: Tensor): Tensor {
  const [min, max] = extent(data);
  return tensor(
    shape,
    data.map((value) => (max > min ? (value - min) / (max - min) : 0)),
  );
}

/**
 * Mean structural similarity of two maps, each between its own 0 and 1; -1 … 1, 1 for equal ones:
 *
 *   SSIM = (2 μ_a μ_b + C1)(2 σ_ab + C2) / ((μ_a² + μ_b² + C1)(σ_a² + σ_b² + C2)),  C1 = 0.01², C2
 * = 0.03²
 *
 * with means, variances and covariance under a Gaussian window of 11 pixels, sigma 1.5.
 * Source: Wang et al., Image Quality Assessment, IEEE TIP 2004.
 */
export function structuralSimilarity(first: Tensor, second: Tensor): number {
  const [a, b] = [unit(first), unit(second)];
  const blurred = (x: Tensor, y?: Tensor) => {
    const product = y ? x.data.map((value, i) => value * y.data[i]) : x.data;
    return gaussianBlur(tensor(x.shape, product), { sigma: 1.5, kernelSize: 11 }).data;
  };
  const [meanA, meanB, aa, bb, ab] = [
    blurred(a),
    blurred(b),
    blurred(a, a),
    blurred(b, b),
    blurred(a, b),
  ];
  const [c1, c2] = [0.01 ** 2, 0.03 ** 2];
  let sum = 0;
  for (let i = 0; i < ab.length; i++) {
    const [ma, mb] = [meanA[i], meanB[i]];
    const [varianceA, varianceB, covariance] = [aa[i] - ma * ma, bb[i] - mb * mb, ab[i] - ma * mb];
    sum +=
      ((2 * ma * mb + c1) * (2 * covariance + c2)) /
      ((ma * ma + mb * mb + c1) * (varianceA + varianceB + c2));
  }
  return sum / ab.length;
}

/** How alike two maps are, -1 … 1. A constant map is like no other: 0 by rank correlation. */
export function similarityOf(
  first: Tensor,
  second: Tensor,
  options: { readonly similarity: 'spearman' | 'ssim'; readonly absolute: boolean },
): number {
  const sized = (map: Tensor) =>
    options.absolute ? tensor(map.shape, map.data.map(Math.abs)) : map;
  const [a, b] = [sized(first), sized(second)];
  return options.similarity === 'ssim' ? structuralSimilarity(a, b) : spearman(a.data, b.data);
}
