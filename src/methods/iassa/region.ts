import { at } from '../../tensor/at.ts';
import { extent, mean, pearson } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/**
 * S' = beta S + (1 - beta) A S (Vasu & Long 2020, eq. 6, with the plus sign that their text and
 * code mean)
 *
 * Averaging over look-alikes flattens a map, so A S is first stretched to the range of S: otherwise
 * beta would weigh two quantities of different size. It is stretched about its mean, which becomes
 * that of S: attention moves evidence between regions and makes none, and zero goes on meaning no
 * effect. A constant A S leaves S as it is, up to its scale.
 */
export function adjust(sampled: Tensor, attended: Tensor, beta: number): Tensor {
  const [low, high] = extent(sampled.data);
  const [attendedLow, attendedHigh] = extent(attended.data);
  const gain = attendedHigh > attendedLow ? (high - low) / (attendedHigh - attendedLow) : 0;
  const [middle, attendedMiddle] = [mean(sampled.data), mean(attended.data)];
  return tensor(
    sampled.shape,
    sampled.data.map(
      (s, i) => beta * s + (1 - beta) * (middle + gain * (at(attended.data, i) - attendedMiddle)),
    ),
  );
}

/**
 * HAR(S') = S' > min + threshold · (max - min) (eq. 8, relative to the range); 1 inside, 0
 * outside.
 */
export function highestActivatedRegion(map: Tensor, threshold: number): Uint8Array {
  const [min, max] = extent(map.data);
  const level = min + threshold * (max - min);
  return Uint8Array.from(map.data, (value) => (value > level ? 1 : 0));
}

/** Pearson's correlation of two maps; 1 if both are constant, 0 if one is. */
export function correlation(a: Float32Array, b: Float32Array): number {
  const varies = (x: Float32Array) => x.some((value) => value !== x[0]);
  return varies(a) || varies(b) ? pearson(a, b) : 1;
}
