import { at } from '../../tensor/at.ts';
import type { PatchScorer } from './patch-scorer.ts';
import {
  hasPatch,
  isSubset,
  type PatchSet,
  patchesOf,
  sizeOfSet,
  withoutPatch,
  withPatch,
} from './patch-set.ts';

/**
 * A minimal sufficient explanation: if any one of its patches is deleted, the probability of the
 * class falls below the threshold.
 */
export interface SufficientSet {
  readonly set: PatchSet;
  readonly probability: number;
  /** False if too few model calls remained to make the set minimal; true if left out. */
  readonly isMinimal?: boolean;
}

/** The options that both searches share. */
export interface SearchOptions {
  readonly scorer: PatchScorer;
  /** All patches, the most promising first. */
  readonly ranking: readonly number[];
  /** A set is sufficient if it has at least this probability. */
  readonly threshold: number;
  /** The search ends after the size at which this many explanations were found. */
  readonly maxRoots: number;
  /** The size of the largest sets that are tried. */
  readonly maxSize: number;
  /** Called after each size, with the number of explanations found so far. */
  readonly onRound?: (size: number, found: number) => void;
}

/**
 * Beam search keeps the `beamWidth` most probable insufficient sets of each size. It extends each
 * of them by the `successors` best-ranked patches that are not in the set.
 */
export interface BeamOptions extends SearchOptions {
  readonly beamWidth: number;
  readonly successors: number;
}

/** Sorts sets by falling probability. */
export const byProbability = (a: SufficientSet, b: SufficientSet): number =>
  b.probability - a.probability;

/** The largest number of model calls that are needed to make a set of `size` patches minimal. */
export const minimizingCalls = (size: number): number => size * (size + 1);

/** The subsets of a set that lack one patch and are still sufficient, the most probable first. */
function spareParts(set: PatchSet, scores: readonly number[], threshold: number): SufficientSet[] {
  const parts = patchesOf(set).map((patch, i) => ({
    set: withoutPatch(set, patch),
    probability: at(scores, i),
  }));
  return parts.filter(({ probability }) => probability >= threshold).sort(byProbability);
}

/** The set without its 2, 4, 8, … and finally all spare patches, the cheapest first. */
function cuts(parts: readonly SufficientSet[]): PatchSet[] {
  const sets: PatchSet[] = [];
  let rest: PatchSet | undefined;
  for (const [i, { set }] of parts.entries()) {
    rest = rest === undefined ? set : rest & set;
    const lost = i + 1;
    if (lost > 1 && (Number.isInteger(Math.log2(lost)) || lost === parts.length)) sets.push(rest);
  }
  return sets;
}

/**
 * Scores several lists of sets in one batch. The lists after the first one are scored only if
 * `reserve` further calls remain to continue with the first list. Scores that do not fit are
 * missing at the end.
 */
async function scoreLists(
  scorer: PatchScorer,
  lists: readonly (readonly PatchSet[])[],
  reserve: number,
): Promise<number[][]> {
  const sets = lists.flat();
  const own = scorer.room(lists[0] ?? []);
  const fitting = lists.length > 1 ? Math.max(own, scorer.room(sets, reserve)) : own;
  const scores = await scorer.score(sets.slice(0, fitting));
  let end = 0;
  return lists.map(({ length }) => {
    end += length;
    return scores.slice(end - length, end);
  });
}

/** A set that is being made minimal, and its smaller sufficient subsets that lack one patch. */
interface Step {
  readonly whole: SufficientSet;
  readonly spare: readonly SufficientSet[];
}

/**
 * Deletes each patch of each set. Sets whose deletions do not all fit into the remaining calls are
 * missing at the end.
 */
async function deletions(
  scorer: PatchScorer,
  open: readonly SufficientSet[],
  threshold: number,
  reserve: number,
): Promise<Step[]> {
  const parts = open.map(({ set }) => patchesOf(set).map((patch) => withoutPatch(set, patch)));
  const scores = await scoreLists(scorer, parts, reserve);
  return open.flatMap((whole, i) => {
    const own = at(scores, i);
    return own.length === at(parts, i).length
      ? [{ whole, spare: spareParts(whole.set, own, threshold) }]
      : [];
  });
}

/**
 * Deletes patches from sufficient sets until each remaining patch is needed. Several spare patches
 * of a set are deleted together, the cheapest first, while the rest is sufficient. All sets are
 * processed in parallel. If too few calls remain for all sets, the last sets are dropped first. If
 * too few remain for the first set, the result has what is left of it, with `isMinimal: false`.
 */
export async function minimizeSets(
  scorer: PatchScorer,
  sets: readonly SufficientSet[],
  threshold: number,
): Promise<SufficientSet[]> {
  const minimal = new Map<PatchSet, SufficientSet>();
  for (let open = sets; open.length > 0; ) {
    const first = at(open, 0);
    const reserve = minimizingCalls(sizeOfSet(first.set) - 1);
    const steps = await deletions(scorer, open, threshold, reserve);
    if (steps.length === 0) {
      if (minimal.size === 0) minimal.set(first.set, { ...first, isMinimal: false });
      break;
    }
    for (const { whole, spare } of steps) if (spare.length === 0) minimal.set(whole.set, whole);
    const spares = steps.map(({ spare }) => spare).filter(({ length }) => length > 0);
    const rests = spares.map(cuts);
    const left = await scoreLists(scorer, rests, reserve);
    const smaller = spares.map((spare, i) => {
      const own = at(left, i);
      const last = own.findLastIndex((probability) => probability >= threshold);
      return last < 0 ? at(spare, 0) : { set: at(at(rests, i), last), probability: at(own, last) };
    });
    open = [...new Map(smaller.map((each) => [each.set, each])).values()].filter(
      ({ set }) => !minimal.has(set),
    );
  }
  return [...minimal.values()];
}

/**
 * Beam search (Shitole et al. 2021, section 4). In each round, sets grow by one patch. The
 * sufficient sets are made minimal and kept. Of the other sets, the `beamWidth` most probable ones
 * continue. No set is evaluated twice, and a round is one batch. The search stops before a round if
 * the remaining calls are not enough to score the round and make one of its sets minimal.
 */
export async function beamSearch(options: BeamOptions): Promise<SufficientSet[]> {
  const { scorer, ranking, threshold, maxRoots, maxSize, beamWidth, successors, onRound } = options;
  const found = new Map<PatchSet, SufficientSet>();
  let beam: PatchSet[] = [0n];
  for (let size = 1; size <= maxSize && beam.length > 0 && found.size < maxRoots; size++) {
    const next = beam.flatMap((set) =>
      ranking
        .filter((patch) => !hasPatch(set, patch))
        .slice(0, successors)
        .map((patch) => withPatch(set, patch)),
    );
    const sets = [...new Set(next)];
    if (scorer.room(sets, minimizingCalls(size)) < sets.length) break;
    const scores = await scorer.score(sets);
    const scored = sets.map((set, i) => ({ set, probability: at(scores, i) })).sort(byProbability);
    const sufficient = scored.filter(({ probability }) => probability >= threshold);
    for (const each of await minimizeSets(scorer, sufficient, threshold)) found.set(each.set, each);
    beam = scored.slice(sufficient.length, sufficient.length + beamWidth).map(({ set }) => set);
    onRound?.(size, found.size);
  }
  return [...found.values()];
}

/** All subsets of `items` with `size` elements, in lexicographic order. */
function* combinations<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  if (size === 0) yield [];
  for (let i = 0; i + size <= items.length && size > 0; i++) {
    for (const rest of combinations(items.slice(i + 1), size - 1)) yield [at(items, i), ...rest];
  }
}

/** How many sets the combinatorial search scores in one batch. */
const CHUNK = 1024;

/**
 * Tries all sets of 1, 2, … of the `pool` best-ranked patches, except those that contain a smaller
 * sufficient set. So the sets that it finds are minimal in the strict sense: no subset is
 * sufficient. It ends after the size at which `maxRoots` explanations were found.
 */
export async function combinatorialSearch(
  options: SearchOptions & { readonly pool: number },
): Promise<SufficientSet[]> {
  const { scorer, ranking, threshold, maxRoots, maxSize, pool, onRound } = options;
  const best = ranking.slice(0, pool);
  const found: SufficientSet[] = [];
  for (
    let size = 1;
    size <= Math.min(maxSize, best.length) && found.length < maxRoots && !scorer.exhausted();
    size++
  ) {
    const smaller = found.slice();
    let chunk: PatchSet[] = [];
    const settle = async () => {
      chunk = chunk.slice(0, scorer.room(chunk));
      const scores = await scorer.score(chunk);
      chunk.forEach((set, i) => {
        const probability = at(scores, i);
        if (probability >= threshold) found.push({ set, probability });
      });
      chunk = [];
    };
    for (const patches of combinations(best, size)) {
      const set = patches.reduce(withPatch, 0n);
      if (smaller.some((each) => isSubset(each.set, set))) continue;
      chunk.push(set);
      if (chunk.length === CHUNK) await settle();
    }
    await settle();
    onRound?.(size, found.length);
  }
  return found;
}

/** Sorts sets: smaller sets first, then more probable sets. Ties have a fixed order. */
export function inOrder(sets: readonly SufficientSet[]): SufficientSet[] {
  return [...sets].sort(
    (a, b) =>
      sizeOfSet(a.set) - sizeOfSet(b.set) || byProbability(a, b) || (a.set < b.set ? -1 : 1),
  );
}
