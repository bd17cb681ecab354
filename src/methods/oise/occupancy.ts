import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { upsampleGrid } from '../shared/grid-sums.ts';

/** A group of chains, each with the sum of its expected masks so far, [s · s]. */
interface SeenGroup {
  readonly runs: readonly { readonly seen: Float64Array }[];
}

/**
 * Adds the expected next mask to `seen`, and replaces `shown` by the next mask `cells`. The
 * previous mask is added to both, times `carried`, and the sums are cut at 1. All are [s · s].
 */
export function showNext(
  { seen, shown }: { readonly seen: Float64Array; readonly shown: Float32Array },
  expected: Float32Array,
  cells: Float32Array,
  carried: number,
): void {
  for (let i = 0; i < seen.length; i++) {
    seen[i] += Math.min(1, expected[i] + carried * shown[i]);
    shown[i] = Math.min(1, cells[i] + carried * shown[i]);
  }
}

/**
 * The mean over all random shifts of the upsampling matrix along one axis: [length, s] from [(s +
 * 1) · cell, s].
 */
export function meanUpsampling(matrix: Tensor, length: number): Float64Array {
  const [total, s] = matrix.shape;
  const shifts = total / (s + 1);
  const mean = new Float64Array(length * s);
  for (let shift = 0; shift < shifts; shift++) {
    for (let i = 0; i < length * s; i++) mean[i] += matrix.data[shift * s + i] / shifts;
  }
  return mean;
}

/** The mean upsampling of cells to a map along both axes, and the shapes. */
export interface Upsampling {
  readonly rows: Float64Array;
  readonly columns: Float64Array;
  readonly shape: readonly [number, number];
  readonly s: number;
}

/**
 * The mean over the chains, and its standard error: the spread of the means of the groups, divided
 * by the square root of the number of groups.
 */
export function summarize(
  groups: readonly SeenGroup[],
  steps: number,
  { rows, columns, shape, s }: Upsampling,
) {
  const mean = new Float64Array(shape[0] * shape[1]);
  const squares = new Float64Array(mean.length);
  let weight = 0;
  for (const { runs } of groups) {
    const seen = new Float64Array(s * s);
    for (const run of runs) for (let i = 0; i < seen.length; i++) seen[i] += run.seen[i];
    const map = upsampleGrid(seen, rows, columns, [s, s]);
    weight += runs.length;
    for (let i = 0; i < map.length; i++) {
      const value = map[i] / (steps * runs.length);
      const delta = value - mean[i];
      mean[i] += (delta * runs.length) / weight;
      squares[i] += runs.length * delta * (value - mean[i]);
    }
  }
  const count = groups.length;
  const error = squares.map((sum) =>
    Math.sqrt(Math.max(0, sum) / (weight * Math.max(1, count - 1))),
  );
  return {
    map: tensor(shape, Float32Array.from(mean)),
    standardError: count > 1 ? tensor(shape, Float32Array.from(error)) : undefined,
  };
}
