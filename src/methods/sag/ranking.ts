import { mean } from '../../tensor/statistics.ts';
import { argsortDescending, type Tensor } from '../../tensor/tensor.ts';
import { type PatchLayout, type PatchScorer, patchUpsampling } from './patch-scorer.ts';
import { hasPatch, type PatchSet, patchSetOf } from './patch-set.ts';

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

/**
 * The neighborhoods of every second patch in every second row: the patch and the patches around it.
 * Together they contain every patch.
 */
function neighbourhoods([rows, columns]: PatchLayout['grid']): PatchSet[] {
  const near = (i: number, size: number) => [i - 1, i, i + 1].filter((at) => at >= 0 && at < size);
  const everyOther = (size: number) => Array.from({ length: Math.ceil(size / 2) }, (_, i) => 2 * i);
  return everyOther(rows).flatMap((row) =>
    everyOther(columns).map((column) =>
      patchSetOf(near(row, rows).flatMap((y) => near(column, columns).map((x) => y * columns + x))),
    ),
  );
}

/**
 * The patches by falling value. The value of a patch is the mean probability of the neighborhoods
 * that contain it, each shown alone. Patches of equal value are in rising order.
 */
export async function rankShown(scorer: PatchScorer): Promise<number[]> {
  const shown = neighbourhoods(scorer.layout.grid);
  const scores = await scorer.score(shown);
  const values = Float64Array.from({ length: scorer.count }, (_, patch) => {
    const own = scores.filter((__, i) => hasPatch(shown[i], patch));
    return mean(own);
  });
  return [...argsortDescending(values)];
}

/**
 * The patches by falling mean of a map over the patch. Patches of equal mean are in rising order.
 */
export const rankByMap = (map: Tensor, layout: PatchLayout): number[] => [
  ...argsortDescending(patchMeans(map, layout)),
];
