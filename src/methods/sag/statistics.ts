import { mean } from '../../tensor/statistics.ts';
import { overlapOf, patchSetOf } from './patch-set.ts';
import type { Sag } from './schema.ts';

/**
 * Statistics of the graphs of many pictures, as in the tables of the paper (Shitole et al. 2021).
 */
export interface SagStatistics {
  /** The number of pictures with a graph. */
  readonly pictures: number;
  /** For n = 1, 2, …: the share of pictures with an explanation of at most n patches. */
  readonly explainedWith: readonly number[];
  /** The share of pictures without an explanation. */
  readonly unexplained: number;
  /**
   * The number of patches of the smallest explanation: the mean over the pictures that have one;
   * null if none has.
   */
  readonly smallest: number | null;
  /** The mean number of minimal sufficient explanations per picture. */
  readonly explanations: number;
  /**
   * The mean number of diverse explanations per picture: the largest choice in which any two share
   * at most `maxOverlap` patches.
   */
  readonly diverse: number;
  /** For n = 1, 2, …: the share of pictures with at least n diverse explanations. */
  readonly diverseAtLeast: readonly number[];
  /**
   * The number of patches that two explanations of one picture share: the mean over all pairs, then
   * over the pictures with a pair; null if no picture has one.
   */
  readonly overlap: number | null;
}

const meanOrNull = (values: readonly number[]): number | null =>
  values.length === 0 ? null : mean(values);

function meanOverlap({ explanations }: Sag): number | null {
  const sets = explanations.map(({ patches }) => patchSetOf(patches));
  return meanOrNull(sets.flatMap((a, i) => sets.slice(i + 1).map((b) => overlapOf(a, b))));
}

const shares = (
  counts: readonly number[],
  most: number,
  holds: (count: number, n: number) => boolean,
): number[] =>
  Array.from(
    { length: most },
    (_, i) => counts.filter((count) => holds(count, i + 1)).length / counts.length,
  );

/**
 * Computes statistics of the graphs of many pictures. Shares are 0 … 1. Without graphs, means are 0
 * or null.
 */
export function sagStatistics(graphs: readonly Sag[]): SagStatistics {
  const smallest = graphs.map(({ explanations }) =>
    Math.min(...explanations.map(({ patches }) => patches.length)),
  );
  const found = smallest.filter(Number.isFinite);
  const diverse = graphs.map((graph) => graph.diverse.size);
  return {
    pictures: graphs.length,
    explainedWith: shares(smallest, Math.max(0, ...found), (size, n) => size <= n),
    unexplained: graphs.length === 0 ? 0 : 1 - found.length / graphs.length,
    smallest: meanOrNull(found),
    explanations: meanOrNull(graphs.map(({ explanations }) => explanations.length)) ?? 0,
    diverse: meanOrNull(diverse) ?? 0,
    diverseAtLeast: shares(diverse, Math.max(0, ...diverse), (size, n) => size >= n),
    overlap: meanOrNull(graphs.map(meanOverlap).filter((value) => value !== null)),
  };
}
