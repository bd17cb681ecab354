/**
 * A set of patches as bits: bit row · columns + column is the patch at that row and column of the
 * grid.
 */
export type PatchSet = bigint;

/** The set of the given patches. */
export function patchSetOf(patches: Iterable<number>): PatchSet {
  let set = 0n;
  for (const patch of patches) set |= 1n << BigInt(patch);
  return set;
}

/** The set of all of `count` patches. */
export const allPatches = (count: number): PatchSet => (1n << BigInt(count)) - 1n;

/** The patches of a set, rising. */
export function patchesOf(set: PatchSet): number[] {
  const bits = set.toString(2);
  const patches: number[] = [];
  for (let i = bits.length - 1; i >= 0; i--) if (bits[i] === '1') patches.push(bits.length - 1 - i);
  return patches;
}

/** How many patches a set has. */
export const sizeOfSet = (set: PatchSet): number => patchesOf(set).length;

export const hasPatch = (set: PatchSet, patch: number): boolean =>
  ((set >> BigInt(patch)) & 1n) === 1n;
export const withPatch = (set: PatchSet, patch: number): PatchSet => set | (1n << BigInt(patch));
export const withoutPatch = (set: PatchSet, patch: number): PatchSet =>
  set & ~(1n << BigInt(patch));

/** Whether all patches of `part` are in `whole`. */
export const isSubset = (part: PatchSet, whole: PatchSet): boolean => (part & whole) === part;

/** How many patches two sets share. */
export const overlapOf = (a: PatchSet, b: PatchSet): number => sizeOfSet(a & b);
