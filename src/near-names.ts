/** The start of a name. Only it is compared, because the time is the product of the lengths. */
const startOf = (name: string): string => name.slice(0, 100).toLowerCase();

/** Names by their edit distance to a wrong one, the nearest first. */
function ranked(wrong: string, names: Iterable<string>): { name: string; distance: number }[] {
  return [...new Set(names)]
    .filter((name) => name !== '')
    .map((name) => ({ name, distance: editDistance(startOf(wrong), startOf(name)) }))
    .sort((a, b) => a.distance - b.distance);
}

/**
 * A sentence that offers the three names nearest to a wrong one, with a space before it; empty if
 * there are no names.
 */
export function nearestNames(wrong: string, names: Iterable<string>): string {
  const near = ranked(wrong, names).slice(0, 3);
  const listed = near.map(({ name }) => `"${name}"`).join(', ');
  return near.length === 0 ? '' : ` The nearest names are ${listed}.`;
}

/**
 * The name that a wrong one probably means: the nearest name that differs in at most a third of the
 * letters, or a name that starts with the wrong one. Undefined if there is none.
 */
export function nearName(wrong: string, names: Iterable<string>): string | undefined {
  const candidates = ranked(wrong, names);
  const [nearest] = candidates;
  if (nearest && nearest.distance <= Math.max(1, Math.floor(wrong.length / 3))) return nearest.name;
  const start = wrong.toLowerCase();
  return candidates.find(({ name }) => start.length > 1 && name.toLowerCase().startsWith(start))
    ?.name;
}

/** `did you mean "grad-cam"? `, for the middle of a message; empty if no name is near. */
export function didYouMean(wrong: string, names: Iterable<string>): string {
  const near = nearName(wrong, names);
  return near === undefined ? '' : `did you mean "${near}"? `;
}

/**
 * Insertions, deletions and replacements of one letter, and swaps of two neighbors, that turn one
 * name into the other, each counted once (optimal string alignment distance).
 */
function editDistance(a: string, b: string): number {
  const [from, to] = [[...a], [...b]];
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, letter] of from.entries()) {
    const next = [i + 1];
    for (const [j, other] of to.entries()) {
      const [diagonal = 0, above = 0] = [row[j], row[j + 1]];
      const edited = Math.min(diagonal + (letter === other ? 0 : 1), above + 1, (next[j] ?? 0) + 1);
      const isSwap = i > 0 && j > 0 && letter === to[j - 1] && other === from[i - 1];
      next.push(isSwap ? Math.min(edited, (before[j - 1] ?? 0) + 1) : edited);
    }
    [before, row] = [row, next];
  }
  return row.at(-1) ?? 0;
}
