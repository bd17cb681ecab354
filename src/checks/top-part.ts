import { at } from '../tensor/at.ts';

/**
 * Scores sets of parts in one batch, such as the cells of a picture. A statement about a set is
 * true if its score is 0 or more. Parts are numbers.
 */
export type ScoreSets = (sets: readonly (readonly number[])[]) => Promise<readonly number[]>;

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

/** The most sets between two sizes that are tested in the second batch. */
const BETWEEN = 4;

/** The largest number of sets that `smallestTopPart` tests for an order of `parts` parts. */
export const mostTopParts = (parts: number): number => ladder(parts).length + BETWEEN;

/**
 * The smallest tested top part of an order of parts for which a statement is true, found in two
 * batches. The first batch tests sizes that grow by half, the second batch up to 4 sizes below the
 * first one that was found. Null if the statement is true for no size of the first batch.
 */
export async function smallestTopPart(
  score: ScoreSets,
  order: readonly number[],
): Promise<readonly number[] | null> {
  const firstOf = async (sizes: readonly number[]) => {
    if (sizes.length === 0) return -1;
    const scores = await score(sizes.map((size) => order.slice(0, size)));
    return scores.findIndex((value) => value >= 0);
  };
  if (order.length === 0) return null;
  const sizes = ladder(order.length);
  const found = await firstOf(sizes);
  if (found < 0) return null;
  const [above, below] = [at(sizes, found), found === 0 ? 0 : at(sizes, found - 1)];
  const step = Math.max(1, Math.ceil((above - below) / (BETWEEN + 1)));
  const between = Array.from(
    { length: Math.max(0, Math.ceil((above - below) / step) - 1) },
    (_, i) => below + (i + 1) * step,
  );
  const closer = await firstOf(between);
  return order.slice(0, closer < 0 ? above : at(between, closer));
}
