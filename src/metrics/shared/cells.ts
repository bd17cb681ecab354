import { type BaselineName, createBaseline } from '../../model/input/baseline.ts';
import type { ScoreKind } from '../../model/model.ts';
import { tileMasks } from '../../model/perturbation.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Given } from '../metric.ts';

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

/**
 * The class scores of pictures in which some cells of a grid are replaced by the baseline, [n].
 * @param masks - one number per picture and cell, [n · grid · grid]: 1 is shown, 0 is hidden
 */
export async function scoresOfCells(
  { model, input, map, target, batchSize, signal, onProgress }: Given<'model'>,
  masks: Float32Array,
  options: { readonly grid: number; readonly baseline: BaselineName; readonly score: ScoreKind },
): Promise<Float32Array> {
  const { grid, baseline, score } = options;
  const [height = 0, width = 0] = map.shape;
  const { data } = await model.perturb({
    input,
    perturbation: tileMasks(masks, grid, height, width)(0, masks.length / (grid * grid)),
    baseline: createBaseline(baseline, model, input),
    targets: [target.index],
    score,
    batchSize,
    signal,
    onProgress: (done, total) => onProgress?.(done / total),
  });
  return data;
}

/** One mask per part of a whole, [parts · parts]: 0 for this part, 1 for the others. */
export function allButOne(parts: number): Float32Array {
  return Float32Array.from({ length: parts * parts }, (_, i) => (i % (parts + 1) === 0 ? 0 : 1));
}
