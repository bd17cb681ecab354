import type { Model, RunOptions } from '../model/model.ts';
import { keptParts } from '../model/perturbation.ts';
import { at } from '../tensor/at.ts';
import { extent } from '../tensor/statistics.ts';
import { argsortDescending, type Tensor } from '../tensor/tensor.ts';
import type { ScoreSets } from './top-part.ts';

/** A picture divided into cells. */
export interface Cells {
  /** The cell of each pixel, 0 … count - 1, [H · W]. */
  readonly labels: Int32Array;
  readonly count: number;
}

/** A picture of height × width pixels as `grid` × `grid` cells, numbered row by row. */
export function squareCells(height: number, width: number, grid: number): Cells {
  const labels = Int32Array.from({ length: height * width }, (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return Math.floor((y * grid) / height) * grid + Math.floor((x * grid) / width);
  });
  return { labels, count: grid * grid };
}

/** The cells in the order of the mean of a map [H, W] in each cell, largest first. */
export function cellOrder({ data }: Tensor, { labels, count }: Cells): number[] {
  const [sums, sizes] = [new Float64Array(count), new Float64Array(count)];
  labels.forEach((cell, i) => {
    sums[cell] = at(sums, cell) + at(data, i);
    sizes[cell] = at(sizes, cell) + 1;
  });
  return [...argsortDescending(sums.map((sum, cell) => sum / Math.max(1, at(sizes, cell))))];
}

/** Shows and hides sets of cells of a picture. Each picture is scored once and counted. */
export interface CellGame {
  /** Number of cells of the picture. */
  readonly count: number;
  /**
   * 0 or more if the class is kept when only the set is shown. By default this is its probability
   * minus that of the most probable other class.
   */
  readonly keeps: ScoreSets;
  /** 0 or more if the class is not kept when the set is hidden. */
  readonly loses: ScoreSets;
  /** Probability of the class when only the set is shown. */
  shown(cells: readonly number[]): Promise<number>;
  /** Probability of the class when the set is hidden. */
  hidden(cells: readonly number[]): Promise<number>;
  /** Number of pictures that the model has scored. */
  calls(): number;
}

/**
 * When a class counts as kept: if at most `rank` other classes are more probable (0: if it is the
 * most probable one), or if its probability is at least `level`.
 */
export type Criterion = { readonly rank: number } | { readonly level: number };

/** The result for one picture with some parts hidden. */
export interface Outcome {
  /** Probability of the class. */
  readonly probability: number;
  /**
   * By how much the class misses its criterion. For rank 0, this is the probability of the most
   * probable other class minus that of the class. The class is kept if `behind` is at most 0.
   */
  readonly behind: number;
}

/** The number of classes that are more probable than class `index`. */
export const rankOf = (probabilities: Float32Array, index: number): number =>
  probabilities.reduce((rank, value) => rank + (value > at(probabilities, index) ? 1 : 0), 0);

/** The result of a picture from the probabilities of all classes. */
export function outcomeOf(row: Float32Array, index: number, criterion: Criterion): Outcome {
  const probability = at(row, index);
  if ('level' in criterion) return { probability, behind: criterion.level - probability };
  // One of the `rank` + 1 most probable other classes must be at most as probable as the class.
  const { rank } = criterion;
  const others = Float32Array.from([...row.subarray(0, index), ...row.subarray(index + 1)]);
  const limit = rank === 0 ? extent(others)[1] : others.sort().reverse()[rank];
  return { probability, behind: (limit ?? Number.NEGATIVE_INFINITY) - probability };
}

/** The model, the preprocessed picture [1, C, H, W] and the class of a game. */
export interface GameRequest extends Pick<RunOptions, 'batchSize' | 'signal'> {
  readonly model: Model;
  readonly input: Tensor;
  readonly target: { readonly index: number };
  /** When the class counts as kept; if it is the most probable one by default. */
  readonly criterion?: Criterion;
}

/** A picture whose parts are shown and hidden, and what replaces hidden parts. */
export interface PartsRequest extends Pick<RunOptions, 'batchSize' | 'signal'> {
  readonly model: Model;
  readonly input: Tensor;
  readonly baseline: Tensor;
}

/**
 * The probabilities of all classes for copies of a picture that keep some of its parts, one row of
 * [classes] per row of `kept` (see `keptParts`).
 */
export async function classProbabilities(
  { model, input, baseline, batchSize, signal }: PartsRequest,
  { labels, count }: Cells,
  kept: readonly ArrayLike<number>[],
): Promise<Float32Array[]> {
  const targets = model.labels.map((_, index) => index);
  const perturbation = keptParts(labels, count, kept);
  const request = { input, baseline, perturbation, targets, batchSize, signal };
  const { data } = await model.perturb(request);
  return kept.map((_, i) => data.subarray(i * targets.length, (i + 1) * targets.length));
}

/** Creates a game. `baseline` replaces hidden cells. */
export function createCellGame(
  { model, input, target, criterion = { rank: 0 }, batchSize, signal }: GameRequest,
  cells: Cells,
  baseline: Tensor,
): CellGame {
  const { count } = cells;
  const known = new Map<string, Outcome>();
  const request = { model, input, baseline, batchSize, signal };
  const score = async (rows: readonly Uint8Array[]): Promise<Outcome[]> => {
    const missing = new Map(
      rows.flatMap((row) => (known.has(String(row)) ? [] : [[String(row), row] as const])),
    );
    if (missing.size > 0) {
      const found = await classProbabilities(request, cells, [...missing.values()]);
      [...missing.keys()].forEach((key, i) => {
        known.set(key, outcomeOf(at(found, i), target.index, criterion));
      });
    }
    return rows.map((row) => known.get(String(row)) as Outcome);
  };
  const rowOf = (set: readonly number[], member: 0 | 1): Uint8Array => {
    const row = new Uint8Array(count).fill(1 - member);
    for (const cell of set) row[cell] = member;
    return row;
  };
  const probabilityOf = async (row: Uint8Array) => at(await score([row]), 0).probability;
  return {
    count,
    keeps: async (sets) =>
      (await score(sets.map((set) => rowOf(set, 1)))).map(({ behind }) => -behind),
    loses: async (sets) =>
      // With equal probabilities, the class is still a most probable one.
      (await score(sets.map((set) => rowOf(set, 0)))).map(({ behind }) =>
        behind > 0 ? behind : behind - 1,
      ),
    shown: (set) => probabilityOf(rowOf(set, 1)),
    hidden: (set) => probabilityOf(rowOf(set, 0)),
    calls: () => known.size,
  };
}
