import { at } from '../../tensor/at.ts';
import { argsortDescending } from '../../tensor/tensor.ts';
import { diverseSubset } from './diverse-subset.ts';
import type { PatchScorer } from './patch-scorer.ts';
import {
  allPatches,
  hasPatch,
  type PatchSet,
  patchesOf,
  withoutPatch,
  withPatch,
} from './patch-set.ts';
import {
  beamSearch,
  combinatorialSearch,
  inOrder,
  type SearchOptions,
  type SufficientSet,
} from './search.ts';

/**
 * The patches that a further explanation may use. It may share at most `maxOverlap` patches with
 * each chosen explanation. Of each chosen explanation, the patches with the highest score beside
 * the rest of the picture stay allowed. Returns undefined if the allowed patches are not
 * sufficient, or if too few model calls remain.
 */
async function freePatches(
  scorer: PatchScorer,
  chosen: readonly SufficientSet[],
  maxOverlap: number,
  threshold: number,
): Promise<PatchSet | undefined> {
  const all = allPatches(scorer.count);
  let free = all;
  for (const { set } of chosen) {
    const patches = patchesOf(set);
    const without = patches.map((patch) => withPatch(all & ~set, patch));
    if (scorer.room(without, 1) < without.length) return undefined;
    const rest = await scorer.score(without);
    for (const i of argsortDescending(rest).subarray(maxOverlap))
      free = withoutPatch(free, at(patches, i));
  }
  return scorer.room([free]) === 1 && at(await scorer.score([free]), 0) >= threshold
    ? free
    : undefined;
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

/** All explanations that the search finds, and the largest diverse choice of them. */
export async function findExplanations(
  scorer: PatchScorer,
  ranking: readonly number[],
  options: ExplanationOptions,
  threshold: number,
  onRound: SearchOptions['onRound'],
) {
  const { beamWidth, successors, maxRoots, maxSize, maxOverlap } = options;
  const shared = { scorer, threshold, maxSize, onRound };
  const found = new Map<PatchSet, SufficientSet>();
  const add = (sets: readonly SufficientSet[]) =>
    sets.forEach((each) => void found.set(each.set, each));
  const diverse = () => diverseSubset([...found.values()], maxOverlap);
  if (options.search === 'combinatorial') {
    add(await combinatorialSearch({ ...shared, ranking, maxRoots, pool: successors }));
    return { found: inOrder([...found.values()]), diverse: diverse() };
  }
  add(await beamSearch({ ...shared, ranking, maxRoots, beamWidth, successors }));
  let chosen = diverse();
  for (
    let restart = 0;
    restart < options.restarts && chosen.sets.length > 0 && chosen.sets.length < options.roots;
    restart++
  ) {
    const free = await freePatches(scorer, chosen.sets, maxOverlap, threshold);
    if (free === undefined) break;
    const rest = ranking.filter((patch) => hasPatch(free, patch));
    add(
      await beamSearch({
        ...shared,
        ranking: rest,
        maxRoots: 1,
        beamWidth: 1,
        successors: Math.ceil(successors / 2),
      }),
    );
    chosen = diverse();
  }
  return { found: inOrder([...found.values()]), diverse: chosen };
}
