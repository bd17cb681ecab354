import type { PatchScorer } from './patch-scorer.ts';
import { hasPatch, isSubset, type PatchSet, patchesOf, sizeOfSet, withoutPatch, withPatch } from './patch-set.ts';

/** A minimal sufficient explanation: without any one of its patches the class falls below the threshold. */
export interface SufficientSet {
  readonly set: PatchSet;
  readonly probability: number;
}

/** What both searches need. */
export interface SearchOptions {
  readonly scorer: PatchScorer;
  /** All patches, the most promising first. */
  readonly ranking: readonly number[];
  /** A set is sufficient from this probability on. */
  readonly threshold: number;
  /** The search ends after the size at which this many explanations are known. */
  readonly maxRoots: number;
  /** The largest sets that are tried. */
  readonly maxSize: number;
  /** Called after each size with what has been found. */
  readonly onRound?: (size: number, found: number) => void;
}

/** Beam search keeps `beamWidth` insufficient sets a size; each is extended by its `successors` best-ranked free patches. */
export interface BeamOptions extends SearchOptions {
  readonly beamWidth: number;
  readonly successors: number;
}

const byProbability = (a: SufficientSet, b: SufficientSet): number => b.probability - a.probability;

/**
 * Takes patches out of sufficient sets as long as the rest is sufficient, each time the one whose loss costs least. All
 * sets go on side by side: the single deletions of a step are one batch.
 */
export async function minimizeSets(scorer: PatchScorer, sets: readonly SufficientSet[], threshold: number): Promise<SufficientSet[]> {
  const minimal = new Map<PatchSet, SufficientSet>();
  for (let open = sets; open.length > 0; ) {
    const parts = open.map(({ set }) => patchesOf(set).map((patch) => withoutPatch(set, patch)));
    const scores = await scorer.score(parts.flat());
    let at = 0;
    const smaller = new Map<PatchSet, SufficientSet>();
    for (const [i, whole] of open.entries()) {
      const [best] = parts[i].map((set) => ({ set, probability: scores[at++] })).sort(byProbability);
      if (best.probability >= threshold) smaller.set(best.set, best);
      else minimal.set(whole.set, whole);
    }
    open = [...smaller.values()].filter(({ set }) => !minimal.has(set));
  }
  return [...minimal.values()];
}

/**
 * Beam search (Shitole et al. 2021, section 4): sets grow by one patch a round. The sufficient ones are made minimal and
 * kept; of the others the `beamWidth` likeliest go on. No set is looked at twice, and a round is one batch.
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
    const scores = await scorer.score(sets);
    const scored = sets.map((set, i) => ({ set, probability: scores[i] })).sort(byProbability);
    const sufficient = scored.filter(({ probability }) => probability >= threshold);
    for (const each of await minimizeSets(scorer, sufficient, threshold)) found.set(each.set, each);
    beam = scored.slice(sufficient.length, sufficient.length + beamWidth).map(({ set }) => set);
    onRound?.(size, found.size);
  }
  return [...found.values()];
}

/** All subsets of `items` with `size` elements, in lexicographic order. */
export function* combinations<Item>(items: readonly Item[], size: number): Generator<Item[]> {
  if (size === 0) yield [];
  for (let i = 0; i + size <= items.length && size > 0; i++) {
    for (const rest of combinations(items.slice(i + 1), size - 1)) yield [items[i], ...rest];
  }
}

/** Sets that are scored at once in the combinatorial search. */
const CHUNK = 1024;

/**
 * All sets of 1, 2, … of the `pool` best-ranked patches that hold no smaller sufficient set: what is found is minimal in
 * the strict sense, no part of it being sufficient. Ends after the size at which `maxRoots` are known.
 */
export async function combinatorialSearch(options: SearchOptions & { readonly pool: number }): Promise<SufficientSet[]> {
  const { scorer, ranking, threshold, maxRoots, maxSize, pool, onRound } = options;
  const best = ranking.slice(0, pool);
  const found: SufficientSet[] = [];
  for (let size = 1; size <= Math.min(maxSize, best.length) && found.length < maxRoots; size++) {
    const smaller = found.slice();
    let chunk: PatchSet[] = [];
    const settle = async () => {
      const scores = await scorer.score(chunk);
      chunk.forEach((set, i) => {
        if (scores[i] >= threshold) found.push({ set, probability: scores[i] });
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

/** Smaller sets first, likelier ones among those; equal ones in a fixed order. */
export function inOrder(sets: readonly SufficientSet[]): SufficientSet[] {
  return [...sets].sort((a, b) => sizeOfSet(a.set) - sizeOfSet(b.set) || byProbability(a, b) || (a.set < b.set ? -1 : 1));
}
