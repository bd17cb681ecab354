import { smallestTopPart } from '../../checks/top-part.ts';
import { at } from '../../tensor/at.ts';
import { argsortDescending } from '../../tensor/tensor.ts';
import { type DiverseSubset, diverseSubset } from './diverse-subset.ts';
import { exchangePatches } from './exchange.ts';
import type { PatchScorer } from './patch-scorer.ts';
import {
  allPatches,
  hasPatch,
  type PatchSet,
  patchesOf,
  patchSetOf,
  sizeOfSet,
  withoutPatch,
  withPatch,
} from './patch-set.ts';
import {
  beamSearch,
  combinatorialSearch,
  inOrder,
  minimizeSets,
  type SearchOptions,
  type SufficientSet,
} from './search.ts';

/**
 * Two orders in which a further explanation may share the patches of an explanation: first those
 * that the rest of the picture gains most from; or first those that the rest gains most from and
 * the whole picture misses most. Undefined if too few model calls remain.
 */
async function sharingOrders(
  scorer: PatchScorer,
  { set }: SufficientSet,
): Promise<number[][] | undefined> {
  const patches = patchesOf(set);
  const all = allPatches(scorer.count);
  const beside = patches.map((patch) => withPatch(all & ~set, patch));
  const without = patches.map((patch) => withoutPatch(all, patch));
  const sets = [...beside, ...without];
  if (scorer.room(sets, 2) < sets.length) return undefined;
  const scores = await scorer.score(sets);
  const gains = Float64Array.from(patches, (_, i) => at(scores, i));
  const both = gains.map((gain, i) => gain - at(scores, patches.length + i));
  return [gains, both].map((values) => [...argsortDescending(values)].map((i) => at(patches, i)));
}

/**
 * The patches that a further explanation may use: all but those of the chosen explanations, of which
 * it may share the first `overlap` ones each, in one of two orders. Returns undefined if the allowed
 * patches are not sufficient in either order, or if too few model calls remain.
 */
async function freePatches(
  { scorer, threshold }: Search,
  chosen: readonly SufficientSet[],
  overlap: number,
): Promise<PatchSet | undefined> {
  const frees = [allPatches(scorer.count), allPatches(scorer.count)];
  for (const each of chosen) {
    const orders = await sharingOrders(scorer, each);
    if (orders === undefined) return undefined;
    orders.forEach((order, i) => {
      for (const patch of order.slice(overlap)) frees[i] = withoutPatch(at(frees, i), patch);
    });
  }
  if (scorer.room(frees) < frees.length) return undefined;
  const scores = await scorer.score(frees);
  return frees.find((_, i) => at(scores, i) >= threshold);
}

/** The options of the search for explanations. */
export interface ExplanationOptions {
  readonly search: 'beam' | 'combinatorial';
  readonly beamWidth: number;
  readonly successors: number;
  readonly maxRoots: number;
  readonly maxSize: number;
  readonly maxOverlap: number;
  readonly restarts: number;
  readonly roots: number;
}

/** What all parts of a search share. */
interface Search {
  readonly scorer: PatchScorer;
  readonly options: ExplanationOptions;
  readonly threshold: number;
  readonly onRound: SearchOptions['onRound'];
  /** All explanations so far. */
  readonly found: Map<PatchSet, SufficientSet>;
}

const add = ({ found }: Search, sets: readonly SufficientSet[]): void => {
  for (const each of sets) if (!found.has(each.set)) found.set(each.set, each);
};

/** The smallest explanations so far. */
function smallest({ found }: Search): SufficientSet[] {
  const least = Math.min(...[...found.keys()].map(sizeOfSet));
  return inOrder([...found.values()].filter(({ set }) => sizeOfSet(set) === least));
}

/**
 * Makes the smallest sufficient top part of a ranking minimal. All patches of the ranking together
 * must be sufficient, so there is always a result. If few model calls remain, it need not be
 * minimal.
 */
async function fromAbove(
  { scorer, threshold }: Search,
  ranking: readonly number[],
): Promise<SufficientSet[]> {
  const score = async (parts: readonly (readonly number[])[]) => {
    const sets = parts.map(patchSetOf);
    if (scorer.room(sets) < sets.length)
      return parts.map(({ length }) => (length === ranking.length ? 0 : -1));
    return (await scorer.score(sets)).map((probability) => probability - threshold);
  };
  const top = patchSetOf((await smallestTopPart(score, ranking)) ?? ranking);
  const [probability = 0] = await scorer.score([top]);
  return minimizeSets(scorer, [{ set: top, probability }], threshold);
}

/** Searches with all patches, from above, from below, and by exchanging patches. */
async function searchAll(search: Search, ranking: readonly number[]): Promise<void> {
  const { scorer, options, threshold, onRound } = search;
  const { beamWidth, successors, maxRoots, maxSize } = options;
  add(search, await fromAbove(search, ranking));
  const least = Math.min(maxSize, sizeOfSet(at(smallest(search), 0).set));
  const limits = { maxRoots, maxSize: least, beamWidth, successors };
  add(search, await beamSearch({ scorer, threshold, onRound, ranking, ...limits }));
  const sets = smallest(search).map(({ set }) => set);
  add(search, await exchangePatches({ scorer, ranking, threshold, width: beamWidth }, sets));
}

/** Searches among the free patches, which are sufficient together. */
async function searchFree(search: Search, ranking: readonly number[]): Promise<void> {
  const { scorer, options, threshold, onRound } = search;
  const above = await fromAbove(search, ranking);
  add(search, above);
  const maxSize = Math.min(options.maxSize, ...above.map(({ set }) => sizeOfSet(set) - 1));
  const greedy = { maxRoots: 1, beamWidth: 1, successors: Math.ceil(options.successors / 2) };
  add(search, await beamSearch({ scorer, threshold, onRound, ranking, maxSize, ...greedy }));
}

/**
 * Searches further explanations, until `roots` of them share at most `maxOverlap` patches. If there
 * is none beside the smallest one, it allows as many common patches as are needed for a second one.
 * Returns the largest number of common patches that it allowed.
 */
async function searchDiverse(search: Search, ranking: readonly number[]): Promise<number> {
  const { options } = search;
  const { maxOverlap, restarts, roots } = options;
  const searchIn = (free: PatchSet) =>
    searchFree(
      search,
      ranking.filter((patch) => hasPatch(free, patch)),
    );
  for (let restart = 0; restart < restarts; restart++) {
    const chosen = diverseOf(search, maxOverlap).sets;
    if (chosen.length >= roots) return maxOverlap;
    let free = await freePatches(search, chosen, maxOverlap);
    // If the most probable smallest set leaves too little, another one may leave enough.
    for (const other of chosen.length === 1 ? smallest(search) : [])
      free ??= await freePatches(search, [other], maxOverlap);
    if (free === undefined) break;
    await searchIn(free);
  }
  const chosen = diverseOf(search, maxOverlap).sets;
  if (chosen.length > 1 || restarts === 0 || roots === 1) return maxOverlap;
  const size = sizeOfSet(at(chosen, 0).set);
  for (let overlap = maxOverlap + 1; overlap < size; overlap++) {
    if (diverseOf(search, overlap).sets.length > 1) return overlap;
    const free = await freePatches(search, chosen, overlap);
    if (free === undefined) continue;
    await searchIn(free);
    if (diverseOf(search, overlap).sets.length > 1) return overlap;
  }
  return maxOverlap;
}

const diverseOf = ({ found }: Search, maxOverlap: number): DiverseSubset =>
  diverseSubset([...found.values()], maxOverlap);

/** Keeps only minimal sets, if there are any. */
function keepMinimal(search: Search): void {
  const minimal = [...search.found.values()].filter(({ isMinimal = true }) => isMinimal);
  if (minimal.length === 0) return;
  search.found.clear();
  add(search, minimal);
}

/** The explanations that a search found. */
export interface Explanations {
  /** All of them, in order (see `inOrder`). */
  readonly found: readonly SufficientSet[];
  /** A diverse choice of them, with one of the smallest. */
  readonly diverse: DiverseSubset;
  /** The largest number of patches that two of the diverse ones may share. */
  readonly overlap: number;
}

/**
 * All explanations that the search finds, and a diverse choice of them that has one of the
 * smallest. All patches together must be sufficient, so there is always an explanation.
 */
export async function findExplanations(
  scorer: PatchScorer,
  ranking: readonly number[],
  options: ExplanationOptions,
  threshold: number,
  onRound: SearchOptions['onRound'],
): Promise<Explanations> {
  const search: Search = { scorer, options, threshold, onRound, found: new Map() };
  let overlap = options.maxOverlap;
  if (options.search === 'combinatorial') {
    const { successors: pool, maxRoots, maxSize } = options;
    const limits = { maxRoots, maxSize, pool };
    add(search, await combinatorialSearch({ scorer, threshold, onRound, ranking, ...limits }));
    if (search.found.size === 0) add(search, await fromAbove(search, ranking));
  } else {
    await searchAll(search, ranking);
    keepMinimal(search);
    overlap = await searchDiverse(search, ranking);
    keepMinimal(search);
  }
  const found = inOrder([...search.found.values()]);
  return { found, diverse: diverseOf(search, overlap), overlap };
}
