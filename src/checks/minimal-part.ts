import { at } from '../tensor/at.ts';
import type { ScoreSets } from './top-part.ts';

/** A set of parts, and whether each of its parts is needed. */
export interface MinimalPart {
  readonly parts: readonly number[];
  /**
   * Whether the statement becomes false without any single part. Also false if the calls were too
   * few to find out.
   */
  readonly isMinimal: boolean;
}

/** Consecutive groups of `size` parts; the last group may be smaller. */
const groupsOf = (parts: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.ceil(parts.length / size) }, (_, i) =>
    parts.slice(i * size, (i + 1) * size),
  );

const without = (parts: readonly number[], removed: readonly number[]): number[] =>
  parts.filter((part) => !removed.includes(part));

/** The numbers 1, 2, 4, 8, … below `most`, and `most`. */
function powers(most: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < most; count *= 2) counts.push(count);
  return [...counts, most];
}

/**
 * One round: tests the removal of each group, and then of the first 2, 4, 8, … and all groups that
 * could be removed alone, the cheapest first. Returns the smallest set for which the statement is
 * still true; undefined if no group can be removed.
 */
async function withoutGroups(
  score: ScoreSets,
  parts: readonly number[],
  groups: readonly (readonly number[])[],
): Promise<number[] | undefined> {
  const alone = await score(groups.map((group) => without(parts, group)));
  // Of groups with equal scores, the part that comes last in the order is removed first.
  const spare = groups
    .map((group, i) => ({ group, score: at(alone, i), place: i }))
    .filter((each) => each.score >= 0)
    .sort((a, b) => b.score - a.score || b.place - a.place)
    .map(({ group }) => group);
  if (spare.length === 0) return undefined;
  const rests = powers(spare.length).map((count) => without(parts, spare.slice(0, count).flat()));
  const together = rests.slice(1).filter((rest) => rest.length > 0);
  const scores = together.length === 0 ? [] : await score(together);
  const last = scores.findLastIndex((value) => value >= 0);
  return last < 0 ? at(rests, 0) : at(together, last);
}

/** The most calls of `withoutGroups` for a number of groups. */
const callsFor = (groups: number): number => groups + powers(groups).length;

/** The smallest size of groups for which one round fits into the calls; undefined if none fits. */
function groupSize(parts: number, calls: number): number | undefined {
  for (let size = 1; size <= Math.ceil(parts / 2); size++)
    if (callsFor(Math.ceil(parts / size)) <= calls) return size;
  return undefined;
}

/**
 * Removes parts from a set as long as the statement stays true without them. `parts` is in the
 * order of importance. Where single parts are too many for the remaining calls, groups of
 * neighboring parts are removed.
 * @param room - the number of calls that remain
 */
export async function minimalPart(
  score: ScoreSets,
  parts: readonly number[],
  room: () => number,
): Promise<MinimalPart> {
  let left = parts;
  while (left.length > 1) {
    const size = groupSize(left.length, room());
    if (size === undefined) return { parts: left, isMinimal: false };
    const smaller = await withoutGroups(score, left, groupsOf(left, size));
    if (smaller) left = smaller;
    else return { parts: left, isMinimal: size === 1 };
  }
  return { parts: left, isMinimal: true };
}
