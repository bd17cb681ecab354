import { at } from '../../tensor/at.ts';
import type { Random } from '../../tensor/random.ts';

/**
 * A Latin hypercube, [rows, dimensions] in [0, 1) (McKay, Beckman & Conover 1979). Each dimension
 * is divided into `rows` equal intervals. Each interval contains one point, at a random place, and
 * the points are in random order.
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
