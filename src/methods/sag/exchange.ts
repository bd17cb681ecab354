import { at } from '../../tensor/at.ts';
import type { PatchScorer } from './patch-scorer.ts';
import { hasPatch, type PatchSet, patchesOf, withoutPatch, withPatch } from './patch-set.ts';
import { byProbability, minimizeSets, minimizingCalls, type SufficientSet } from './search.ts';

/** The options of `exchangePatches`. */
export interface ExchangeOptions {
  readonly scorer: PatchScorer;
  /** The patches that may be added, the most promising first. */
  readonly ranking: readonly number[];
  /** A set is sufficient if it has at least this probability. */
  readonly threshold: number;
  /** How many sets continue after each step. */
  readonly width: number;
}

/** The `width` most probable of some sets, each once; undefined if too few calls remain. */
async function best(
  { scorer, width }: ExchangeOptions,
  sets: readonly PatchSet[],
  reserve: number,
): Promise<SufficientSet[] | undefined> {
  const distinct = [...new Set(sets)];
  if (scorer.room(distinct, reserve) < distinct.length) return undefined;
  const scores = await scorer.score(distinct);
  return distinct
    .map((set, i) => ({ set, probability: at(scores, i) }))
    .sort(byProbability)
    .slice(0, width);
}

const without = (sets: readonly PatchSet[]): PatchSet[] =>
  sets.flatMap((set) => patchesOf(set).map((patch) => withoutPatch(set, patch)));

const extended = (sets: readonly PatchSet[], ranking: readonly number[]): PatchSet[] =>
  sets.flatMap((set) =>
    ranking.filter((patch) => !hasPatch(set, patch)).map((patch) => withPatch(set, patch)),
  );

/**
 * Searches a sufficient set with one patch less than `size`. It starts from the most probable sets
 * of `size` - 1 patches that the given sets contain, exchanges one patch of them by another as long
 * as the probability rises, and ends at the first sufficient set. Returns undefined if it finds
 * none.
 */
async function smaller(
  options: ExchangeOptions,
  sets: readonly PatchSet[],
  size: number,
): Promise<SufficientSet | undefined> {
  const reserve = minimizingCalls(size - 1);
  let open = await best(options, without(sets), reserve);
  for (let highest = Number.NEGATIVE_INFINITY; open?.[0] && open[0].probability > highest; ) {
    highest = open[0].probability;
    if (highest >= options.threshold) return open[0];
    const rest = await best(options, without(open.map(({ set }) => set)), reserve);
    if (rest === undefined) return undefined;
    const next = extended(
      rest.map(({ set }) => set),
      options.ranking,
    );
    open = await best(options, [...open.map(({ set }) => set), ...next], reserve);
  }
  return undefined;
}

/**
 * Looks for smaller sufficient sets than the given minimal ones, which all have the same size. A
 * minimal set is only irreducible: other patches may do with fewer. Returns the smallest minimal
 * sets that it finds on the way; none if no smaller one is found.
 */
export async function exchangePatches(
  options: ExchangeOptions,
  sets: readonly PatchSet[],
): Promise<SufficientSet[]> {
  const found: SufficientSet[] = [];
  let open = sets;
  for (let size = patchesOf(at(sets, 0)).length; size > 1; ) {
    const next = await smaller(options, open, size);
    if (next === undefined) break;
    const minimal = await minimizeSets(options.scorer, [next], options.threshold);
    if (minimal.length === 0) break;
    found.push(...minimal);
    open = minimal.map(({ set }) => set);
    size = patchesOf(at(open, 0)).length;
  }
  return found;
}
