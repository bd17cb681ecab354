import { mean, pearson } from '../tensor/statistics.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Rows and columns of a sketch. */
const SKETCH_SIDE = 14;

/**
 * A small copy of a map: the mean of each cell of a 14×14 grid, rescaled to whole numbers 0 … 255,
 * row by row; all 0 for a constant map.
 */
export function sketchOf({ shape: [height, width], data }: Tensor): number[] {
  const sums = new Float64Array(SKETCH_SIDE ** 2);
  const counts = new Float64Array(SKETCH_SIDE ** 2);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * SKETCH_SIDE) / height) * SKETCH_SIDE;
    for (let x = 0; x < width; x++) {
      const cell = row + Math.floor((x * SKETCH_SIDE) / width);
      sums[cell] += data[y * width + x];
      counts[cell] += 1;
    }
  }
  const means = sums.map((sum, i) => (counts[i] > 0 ? sum / counts[i] : 0));
  const [min, max] = means.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  return Array.from(means, (value) =>
    max > min ? Math.round((255 * (value - min)) / (max - min)) : 0,
  );
}

/**
 * How much the maps of one picture disagree, 0 … 2: 1 minus the mean correlation of all pairs of
 * sketches; 0 for fewer than two sketches.
 */
export function disagreement(sketches: readonly (readonly number[])[]): number {
  const pairs = sketches.flatMap((a, i) => sketches.slice(i + 1).map((b) => 1 - pearson(a, b)));
  return pairs.length === 0 ? 0 : mean(pairs);
}
