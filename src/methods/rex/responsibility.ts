import { at } from '../../tensor/at.ts';
import type { Random } from '../../tensor/random.ts';
import { areaOf, type Box, canSplit, splitBox } from './boxes.ts';

/** A set of parts as bits: bit i is set if part i is shown. */
type Shown = number;

const sizeOf = (shown: Shown): number => {
  let size = 0;
  for (let bits = shown; bits > 0; bits >>= 1) size += bits & 1;
  return size;
};

/**
 * The responsibility of each of `count` parts for the class (Chockler & Halpern 2004):
 *
 *   r_i = 1 / (1 + k)
 *
 * k is the smallest number of other parts that must be hidden, with the class kept, such that
 * hiding part i then loses the class. r_i is 0 if there are no such parts. `passes` has, for each
 * set of shown parts as bits, whether the class is kept.
 */
export function responsibilities(count: number, passes: readonly boolean[]): number[] {
  return Array.from({ length: count }, (_, part) => {
    let largest = 0;
    for (let shown = 0; shown < 2 ** count; shown++) {
      const isCritical =
        shown & (1 << part) && at(passes, shown) && !at(passes, shown & ~(1 << part));
      if (isCritical) largest = Math.max(largest, 1 / (1 + count - sizeOf(shown)));
    }
    return largest;
  });
}

/** Tests which sets of `parts` keep the class, with the boxes of `context` shown too. */
export type TestParts = (
  context: readonly Box[],
  parts: readonly Box[],
  sets: readonly Shown[],
) => Promise<readonly boolean[]>;

/** What a walk needs besides its boxes. */
export interface WalkOptions {
  /** Boxes with both sides at most this long are not split. */
  readonly minSide: number;
  readonly random: Random;
  readonly test: TestParts;
  /** Whether another split may be tested. */
  readonly hasRoom: () => boolean;
  /** Called with each part of each split, and its responsibility. */
  readonly onPart: (box: Box, responsibility: number) => void;
}

/** The set of shown parts with the smallest area that keeps the class. */
function smallestPassing(parts: readonly Box[], passes: readonly boolean[]): Box[] {
  const sets = passes.flatMap((isKept, shown) =>
    isKept ? [parts.filter((_, i) => shown & (1 << i))] : [],
  );
  const area = (boxes: readonly Box[]) => boxes.reduce((sum, box) => sum + areaOf(box), 0);
  return sets.reduce((least, set) => (area(set) < area(least) ? set : least), [...parts]);
}

/**
 * One walk (Chockler, Kroening & Sun 2021): splits the picture into parts, finds their
 * responsibility by showing all sets of them, keeps the smallest set that keeps the class, and
 * goes on with each box of this set, while the other boxes stay shown. Ends if no box can be split.
 * Returns the boxes that remain: they keep the class together.
 */
export async function walk(whole: Box, options: WalkOptions): Promise<Box[]> {
  const { minSide, random, test, hasRoom, onPart } = options;
  let active = [whole];
  for (let isSplit = true; isSplit; ) {
    isSplit = false;
    for (const box of active) {
      if (!canSplit(box, minSide)) continue;
      if (!hasRoom()) return active;
      isSplit = true;
      const context = active.filter((other) => other !== box);
      const parts = splitBox(box, minSide, random);
      const sets = Array.from({ length: 2 ** parts.length }, (_, shown) => shown);
      // All parts together are the box itself, with which the class is kept.
      const tested = await test(context, parts, sets.slice(0, -1));
      const passes = [...tested, true];
      responsibilities(parts.length, passes).forEach((value, i) => {
        onPart(at(parts, i), value);
      });
      active = active.flatMap((other) =>
        other === box ? smallestPassing(parts, passes) : [other],
      );
    }
  }
  return active;
}
