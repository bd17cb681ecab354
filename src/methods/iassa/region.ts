import { at } from '../../tensor/at.ts';
import { extent, mean, pearson } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/**
 * A S, stretched to the range of S about its mean, which becomes the mean of S. If A S is constant,
 * the result is the mean of S everywhere.
 */
export function stretched(attended: Float32Array, sampled: Float32Array): Float64Array {
  const [[low, high], [from, to]] = [extent(sampled), extent(attended)];
  const gain = to > from ? (high - low) / (to - from) : 0;
  const [middle, attendedMiddle] = [mean(sampled), mean(attended)];
  return Float64Array.from(attended, (value) => middle + gain * (value - attendedMiddle));
}

/**
 * S' = beta S + (1 - beta) A S, [H, W] (Vasu & Long 2020, eq. 6, with the plus sign that their text
 * and code imply)
 *
 * The average over similar cells flattens a map. So A S is first stretched to the range of S,
 * because beta must weigh two quantities of the same size. It is stretched about its mean, which
 * becomes the mean of S. So attention moves evidence between regions but adds none, and zero still
 * means no effect. If A S is constant, the result is S up to its scale.
 */
export function adjust(sampled: Tensor, attended: Tensor, beta: number): Tensor {
  const other = stretched(attended.data, sampled.data);
  return tensor(
    sampled.shape,
    sampled.data.map((s, i) => beta * s + (1 - beta) * at(other, i)),
  );
}

/**
 * The highest activated region, S' > min + threshold · (max - min) (eq. 8, relative to the range),
 * [H · W]: 1 inside, 0 outside.
 */
export function highestActivatedRegion(map: ArrayLike<number>, threshold: number): Uint8Array {
  const [min, max] = extent(map);
  const level = min + threshold * (max - min);
  return Uint8Array.from(map, (value) => (value > level ? 1 : 0));
}

/**
 * Pearson's correlation of two maps, -1 … 1. It is 1 if both maps are constant, and 0 if only one
 * is.
 */
export function correlation(a: Float32Array, b: Float32Array): number {
  const varies = (x: Float32Array) => x.some((value) => value !== x[0]);
  return varies(a) || varies(b) ? pearson(a, b) : 1;
}
