/**
 * A set of patches as bits. Bit number row · columns + column is the patch at this row and column
 * of the grid.
 */
export type PatchSet = bigint;

/** The set of the given patches. */
export function patchSetOf(patches: Iterable<number>): PatchSet {
  let set = 0n;
  for (const patch of patches) set |= 1n << BigInt(patch);
  return set;
}

/** The set of all patches, 0 … `count` - 1. */
export const allPatches = (count: number): PatchSet => (1n << BigInt(count)) - 1n;

/** The numbers of the patches of a set, in rising order. */
export function patchesOf(set: PatchSet): number[] {
  const bits = set.toString(2);
  const patches: number[] = [];
  for (let i = bits.length - 1; i >= 0; i--) if (bits[i] === '1') patches.push(bits.length - 1 - i);
  return patches;
}

/** The number of patches in a set. */
export const sizeOfSet = (set: PatchSet): number => patchesOf(set).length;

export const hasPatch = (set: PatchSet, patch: number): boolean =>
  ((set >> BigInt(patch)) & 1n) === 1n;
export const withPatch = (set: PatchSet, patch: number): PatchSet => set | (1n << BigInt(patch));
export const withoutPatch = (set: PatchSet, patch: number): PatchSet =>
  set & ~(1n << BigInt(patch));

/** Whether all patches of `part` are in `whole`. */
export const isSubset = (part: PatchSet, whole: PatchSet): boolean => (part & whole) === part;

/** The number of patches that two sets share. */
export const overlapOf = (a: PatchSet, b: PatchSet): number => sizeOfSet(a & b);
