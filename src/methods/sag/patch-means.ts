import type { Tensor } from '../../tensor/tensor.ts';
import { type PatchLayout, patchUpsampling } from './patch-scorer.ts';

/**
 * The mean of a map [H, W] over each patch, [patches], weighted by the mask of the patch:
 *
 *   (rowsᵀ · map · columns)_ij / (sum_y rows_yi · sum_x columns_xj)
 */
export function patchMeans(map: Tensor, layout: PatchLayout): Float64Array {
  const [height, width] = map.shape;
  const [gridRows, gridColumns] = layout.grid;
  const { rows, columns } = patchUpsampling(layout, height, width);
  const sums = new Float64Array(gridRows * gridColumns);
  const weights = new Float64Array(gridRows * gridColumns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < gridRows; i++) {
        const row = rows.data[y * gridRows + i];
        for (let j = 0; row > 0 && j < gridColumns; j++) {
          const weight = row * columns.data[x * gridColumns + j];
          sums[i * gridColumns + j] += weight * map.data[y * width + x];
          weights[i * gridColumns + j] += weight;
        }
      }
    }
  }
  return sums.map((sum, i) => sum / weights[i]);
}
