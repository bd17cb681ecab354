import type { Tensor } from '../../tensor/tensor.ts';

/**
 * The sums of the map over the cells of a grid, [grid · grid]. Pixel i of an axis of n pixels lies
 * in cell floor((i + 1/2) grid / n).
 */
export function cellSums({ shape: [height, width], data }: Tensor, grid: number): Float64Array {
  const cell = (i: number, length: number) =>
    Math.min(grid - 1, Math.floor(((i + 0.5) * grid) / length));
  const sums = new Float64Array(grid * grid);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      sums[cell(y, height) * grid + cell(x, width)] += data[y * width + x];
  }
  return sums;
}
