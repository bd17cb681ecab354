import { at } from '../../tensor/at.ts';
import type { Random } from '../../tensor/random.ts';

/**
 * A Latin hypercube, [rows, dimensions] in [0, 1): along each dimension one point in every one of
 * `rows` equal intervals, at a random place in it and in random order (McKay, Beckman & Conover
 * 1979).
 */
export function latinHypercube(rows: number, dimensions: number, random: Random): Float32Array {
  const points = new Float32Array(rows * dimensions);
  const order = Int32Array.from({ length: rows }, (_, i) => i);
  for (let d = 0; d < dimensions; d++) {
    random.shuffle(order);
    for (let i = 0; i < rows; i++)
      points[i * dimensions + d] = (at(order, i) + random.uniform()) / rows;
  }
  return points;
}
