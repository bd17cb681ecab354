import * as v from 'valibot';
import { gaussianBlur } from '../../image/blur.ts';
import { option } from '../../options.ts';
import { extent, spearman } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/** The measures of similarity between two maps. */ export const SIMILARITIES = [
  'spearman',
  'ssim',
] as const;

/** These measures in words, for the descriptions of options. */
export const SIMILARITIES_IN_WORDS =
  "Spearman's rank correlation of the pixels, or the mean structural similarity";

/** The options for the comparison of two maps. */ export const similarityOptions = {
  similarity: option(v.picklist(SIMILARITIES), 'spearman', SIMILARITIES_IN_WORDS),
  absolute: option(v.boolean(), false, 'whether the absolute values of the maps are compared'),
};

/** The map, scaled to 0 … 1; a constant map becomes 0 everywhere. */
function unit({ shape, data }: Tensor): Tensor {
  const [min, max] = extent(data);
  return tensor(
    shape,
    data.map((value) => (max > min ? (value - min) / (max - min) : 0)),
  );
}

/**
 * The mean structural similarity of two maps, each scaled to 0 … 1. It is -1 … 1, and 1 for equal
 * maps:
 *
 *   SSIM = (2 μ_a μ_b + C1)(2 σ_ab + C2) / ((μ_a² + μ_b² + C1)(σ_a² + σ_b² + C2))
 *   C1 = 0.01², C2 = 0.03²
 *
 * Means, variances and covariance are computed in a Gaussian window of 11 pixels with sigma 1.5.
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

/**
 * The similarity of two maps, -1 … 1. By rank correlation, the similarity with a constant map is 0.
 */
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
