import { FoveaError } from '../errors.ts';
import { type BaselineName, createBaseline } from '../model/input/baseline.ts';
import type { Model } from '../model/model.ts';
import { keptParts } from '../model/perturbation.ts';
import { at } from '../tensor/at.ts';
import { argsortDescending, type Tensor } from '../tensor/tensor.ts';

/** Options of `checkSufficiency`: the grid, the baseline and the budget. */
export interface SufficiencyOptions {
  /**
   * Number of cells in each direction; 14 by default. It is at most the height and the width of the
   * picture.
   */
  readonly grid?: number;
  /** The baseline that replaces hidden cells; the blurred picture by default. */
  readonly baseline?: BaselineName;
  /**
   * Largest number of model calls; 60 by default. With the default grid, up to 41 calls are needed
   * before the sets are minimised. So a smaller budget may be exceeded.
   */
  readonly maxCalls?: number;
  /** Number of pictures per batch. By default the model chooses it. */
  readonly batchSize?: number;
  /** Aborts the check. */
  readonly signal?: AbortSignal;
}

/** A set of cells, and the probabilities of the class with and without them. */
export interface CheckedSet {
  /** Indices of the cells in the set, in the order of the map. Cells are numbered row by row. */
  readonly cells: readonly number[];
  /** Number of cells in the set divided by the number of all cells, 0 … 1. */
  readonly share: number;
  /** Probability of the class if only the set is shown. */
  readonly shown: number;
  /** Probability of the class if the set is hidden. */
  readonly hidden: number;
  /**
   * Whether the statement becomes false if any single cell is removed from the set. `isMinimal` is
   * also false if the budget was too small to find out.
   */
  readonly isMinimal: boolean;
}

/** Two statements about a map, which can be checked by showing and hiding cells. */
export interface Sufficiency {
  /** Probability of the class for the whole picture. */
  readonly whole: number;
  /**
   * A small set of cells that keeps the class the most probable one if only these cells are shown.
   * It starts from the smallest top part of the map with this property that was found, and leaves
   * out cells that are not needed. Null if even all cells do not keep the class.
   */
  readonly sufficient: CheckedSet | null;
  /**
   * A small set of cells without which the class is no longer the most probable one. It starts from
   * the smallest top part of the map with this property that was found, and leaves out cells that
   * need not be hidden. Null if the class stays the most probable one even if all cells are hidden.
   */
  readonly necessary: CheckedSet | null;
  /** Number of pictures that the model has scored. */
  readonly modelCalls: number;
}

/** The map to check, [H, W], with its model, picture and class. */
export interface CheckedMap {
  readonly model: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input: Tensor;
  /** The map of `target`, [H, W]. Larger values mean more important pixels. */
  readonly map: Tensor;
  /** The class, by its index and its label. */
  readonly target: { readonly index: number; readonly label: string };
}

/** The cell of each pixel, [H · W], for a grid of `grid` × `grid` cells. */
function cellsOf(height: number, width: number, grid: number): Int32Array {
  return Int32Array.from({ length: height * width }, (_, i) => {
    const [y, x] = [Math.floor(i / width), i % width];
    return Math.floor((y * grid) / height) * grid + Math.floor((x * grid) / width);
  });
}

/** The cells in the order of the mean of the map in each cell, largest first. */
function cellOrder({ data }: Tensor, labels: Int32Array, cells: number): number[] {
  const [sums, sizes] = [new Float64Array(cells), new Float64Array(cells)];
  labels.forEach((cell, i) => {
    sums[cell] = at(sums, cell) + at(data, i);
    sizes[cell] = at(sizes, cell) + 1;
  });
  return [...argsortDescending(sums.map((sum, cell) => sum / Math.max(1, at(sizes, cell))))];
}

/**
 * The result for one set of cells: the probability of the class, and whether the class is still the
 * most probable one.
 */
interface Outcome {
  readonly probability: number;
  readonly isKept: boolean;
}

/**
 * Creates a function that scores pictures in which sets of cells are shown or hidden, and counts
 * its model calls.
 */
function createTester(
  { model, input, target }: CheckedMap,
  labels: Int32Array,
  options: SufficiencyOptions,
) {
  const { grid = 14, baseline = 'blur', batchSize, signal } = options;
  const cells = grid * grid;
  const counted = { calls: 0 };
  const hiddenPicture = createBaseline(baseline, model, input);
  const classes = model.labels.map((_, index) => index);
  const outcomes = async (
    sets: readonly (readonly number[])[],
    change: 'show' | 'hide',
  ): Promise<Outcome[]> => {
    if (sets.length === 0) return [];
    const member = change === 'show' ? 1 : 0;
    const kept = sets.map((set) => {
      const row = new Uint8Array(cells).fill(1 - member);
      for (const cell of set) row[cell] = member;
      return row;
    });
    counted.calls += sets.length;
    const { data } = await model.perturb({
      input,
      baseline: hiddenPicture,
      perturbation: keptParts(labels, cells, kept),
      targets: classes,
      batchSize,
      signal,
    });
    return sets.map((_, i) => {
      const row = data.subarray(i * classes.length, (i + 1) * classes.length);
      const probability = at(row, target.index);
      return { probability, isKept: row.every((other) => other <= probability) };
    });
  };
  return { outcomes, counted };
}

type Tester = ReturnType<typeof createTester>;

/**
 * Sizes 1, 2, 3, 4, 6, 9, 13, 19, … and `most` as the last one. From 2 on, each size is at most 1.5
 * times the size before it.
 */
function ladder(most: number): number[] {
  const sizes: number[] = [];
  for (let size = 1; size < most; size = Math.max(size + 1, Math.floor(size * 1.5)))
    sizes.push(size);
  return [...sizes, most];
}

/**
 * Whether the statement is true for an outcome: showing the set keeps the class, or hiding the set
 * loses it.
 */
const holdsFor = (change: 'show' | 'hide', { isKept }: Outcome): boolean =>
  change === 'show' ? isKept : !isKept;

/**
 * Removes parts of a set as long as the statement stays true without them. The parts are halves at
 * first and single cells at the end (delta debugging, Zeller & Hildebrandt 2002).
 */
async function minimise(
  { outcomes, counted }: Tester,
  start: readonly number[],
  change: 'show' | 'hide',
  maxCalls: number,
): Promise<{ cells: readonly number[]; isMinimal: boolean }> {
  let cells = start;
  let parts = 2;
  while (cells.length > 1) {
    const size = Math.ceil(cells.length / Math.min(parts, cells.length));
    const without = Array.from({ length: Math.ceil(cells.length / size) }, (_, i) =>
      // The cells that the map ranks lowest are removed first.
      cells.filter((_, k) => Math.floor((cells.length - 1 - k) / size) !== i),
    ).filter((set) => set.length > 0);
    if (counted.calls + without.length > maxCalls) return { cells, isMinimal: false };
    const results = await outcomes(without, change);
    const found = results.findIndex((outcome) => holdsFor(change, outcome));
    if (found >= 0) cells = at(without, found);
    else if (size === 1) return { cells, isMinimal: true };
    else parts *= 2;
  }
  return { cells, isMinimal: true };
}

/**
 * The smallest tested top part of the map for which the statement is true, found in two rounds.
 * Null if it is true for none.
 */
async function smallestTopPart(
  tester: Tester,
  order: readonly number[],
  change: 'show' | 'hide',
): Promise<readonly number[] | null> {
  const holding = async (sizes: readonly number[]) => {
    const results = await tester.outcomes(
      sizes.map((size) => order.slice(0, size)),
      change,
    );
    return sizes.findIndex((_, i) => holdsFor(change, at(results, i)));
  };
  const sizes = ladder(order.length);
  const found = await holding(sizes);
  if (found < 0) return null;
  const [above, below] = [at(sizes, found), found === 0 ? 0 : at(sizes, found - 1)];
  const step = Math.max(1, Math.ceil((above - below) / 5));
  const between = Array.from(
    { length: Math.max(0, Math.ceil((above - below) / step) - 1) },
    (_, i) => below + (i + 1) * step,
  );
  const closer = await holding(between);
  return order.slice(0, closer < 0 ? above : at(between, closer));
}

/** Scores a set twice: shown alone and hidden. */
async function checkedSet(
  tester: Tester,
  total: number,
  { cells, isMinimal }: { cells: readonly number[]; isMinimal: boolean },
): Promise<CheckedSet> {
  const [[shown], [hidden]] = [
    await tester.outcomes([cells], 'show'),
    await tester.outcomes([cells], 'hide'),
  ];
  return {
    cells,
    share: cells.length / total,
    shown: shown?.probability ?? 0,
    hidden: hidden?.probability ?? 0,
    isMinimal,
  };
}

/**
 * Derives two statements from a map: which cells are sufficient for the class, and which are
 * necessary. The sets are built in the order of the map, so the statements judge the map: a good
 * map needs few cells for both. A set is sufficient if the class is the most probable one when only
 * the set is shown. A set is necessary if the class is not the most probable one when the set is
 * hidden.
 *
 * With the default options this takes 30 to 60 model calls.
 * @throws FoveaError `usage` if the class is not the most probable one of the whole picture.
 */
export async function checkSufficiency(
  checked: CheckedMap,
  options: SufficiencyOptions = {},
): Promise<Sufficiency> {
  const { input, map, target } = checked;
  const { grid = 14, maxCalls = 60 } = options;
  const [, , height = 0, width = 0] = input.shape;
  const cells = Math.max(1, Math.min(grid, height, width));
  const labels = cellsOf(height, width, cells);
  const tester = createTester(checked, labels, { ...options, grid: cells });
  const order = cellOrder(map, labels, cells ** 2);
  const [whole] = await tester.outcomes([[]], 'hide');
  if (!whole?.isKept) {
    throw new FoveaError(
      'usage',
      `"${target.label}" is not the most probable class of the picture, so no part of the ` +
        'picture can keep it: check the most probable class',
    );
  }
  const statement = async (change: 'show' | 'hide', calls: number): Promise<CheckedSet | null> => {
    const top = await smallestTopPart(tester, order, change);
    // Two calls are kept for scoring the set shown and hidden.
    return top && checkedSet(tester, cells ** 2, await minimise(tester, top, change, calls - 2));
  };
  const sufficient = await statement('show', Math.ceil(maxCalls / 2));
  const necessary = await statement('hide', maxCalls);
  const { calls } = tester.counted;
  return { whole: whole.probability, sufficient, necessary, modelCalls: calls };
}
