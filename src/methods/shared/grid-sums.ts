import * as v from 'valibot';
import { upsamplingMatrix } from '../../image/upsampling.ts';
import type { Grids } from '../../model/perturbation.ts';
import { integer, option } from '../../options.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/** The option for the number of cells of a mask grid. */
export const gridOption = (cells: number) =>
  option(
    v.pipe(integer, v.minValue(1), v.maxValue(64)),
    cells,
    'number of cells of the mask grid in each direction',
  );

/** A map [height, width] of one value per cell of a grid [s · s], upsampled bilinearly. */
export function gridMap(
  values: ArrayLike<number>,
  s: number,
  height: number,
  width: number,
): Tensor {
  const rows = upsamplingMatrix('reflect', s, height).data;
  const columns = upsamplingMatrix('reflect', s, width).data;
  const map = upsampleGrid(values, rows, columns, [s, s]);
  return tensor([height, width], Float32Array.from(map));
}

/**
 * sum_n weights[n] · mask_n, [height · width], without rendering each mask.
 *
 * A mask is rows[dy:] · G · columns[dx:]ᵀ, which is linear in its grid G. So grids with the same
 * shift are added first. Then, for each dy, the sums over dx, [grid height, width], are added. At
 * last, the sum of each dy is upsampled vertically.
 */
export function weightedMaskSum(
  { grids, rows, columns, shifts }: Grids,
  weights: ArrayLike<number>,
  height: number,
  width: number,
): Float64Array {
  const [count, gridHeight, gridWidth] = grids.shape;
  const cells = gridHeight * gridWidth;
  const byShift = new Map<number, Map<number, Float64Array>>();
  for (let n = 0; n < count; n++) {
    const ofRow = byShift.get(shifts[2 * n]) ?? new Map<number, Float64Array>();
    const sum = ofRow.get(shifts[2 * n + 1]) ?? new Float64Array(cells);
    for (let i = 0; i < cells; i++) sum[i] += weights[n] * grids.data[n * cells + i];
    byShift.set(shifts[2 * n], ofRow.set(shifts[2 * n + 1], sum));
  }
  const result = new Float64Array(height * width);
  for (const [dy, ofRow] of byShift) {
    const wide = new Float64Array(gridHeight * width);
    for (const [dx, grid] of ofRow)
      addColumns(grid, columns.data.subarray(dx * gridWidth), wide, gridHeight, gridWidth, width);
    addRows(wide, rows.data.subarray(dy * gridHeight), result, gridHeight, height, width);
  }
  return result;
}

/** rows [height, h] · grid [h, w] · columns [width, w]ᵀ, [height · width] */
export function upsampleGrid(
  grid: ArrayLike<number>,
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
  [h, w]: readonly [number, number],
): Float64Array {
  const [height, width] = [rows.length / h, columns.length / w];
  const wide = new Float64Array(h * width);
  addColumns(grid, columns, wide, h, w, width);
  const result = new Float64Array(height * width);
  addRows(wide, rows, result, h, height, width);
  return result;
}

/** out [height, width] += rows[0 : height] [height, h] · wide [h, width] */
function addRows(
  wide: Float64Array,
  rows: ArrayLike<number>,
  out: Float64Array,
  h: number,
  height: number,
  width: number,
): void {
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < h; i++) {
      const weight = rows[y * h + i];
      if (weight === 0) continue;
      for (let x = 0; x < width; x++) out[y * width + x] += weight * wide[i * width + x];
    }
  }
}

/** out [h, width] += grid [h, w] · columns[0 : width] [width, w]ᵀ */
function addColumns(
  grid: ArrayLike<number>,
  columns: ArrayLike<number>,
  out: Float64Array,
  h: number,
  w: number,
  width: number,
): void {
  for (let x = 0; x < width; x++) {
    for (let j = 0; j < w; j++) {
      const weight = columns[x * w + j];
      if (weight === 0) continue;
      for (let i = 0; i < h; i++) out[i * width + x] += grid[i * w + j] * weight;
    }
  }
}
