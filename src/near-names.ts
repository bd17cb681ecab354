/** Names by their edit distance to a wrong one, the nearest first. */
function ranked(wrong: string, names: Iterable<string>): { name: string; distance: number }[] {
  return [...new Set(names)]
    .filter((name) => name !== '')
    .map((name) => ({ name, distance: editDistance(wrong.toLowerCase(), name.toLowerCase()) }))
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
 * The name that a wrong one was probably meant to be: the nearest name that differs in at most a
 * third of the letters, or that starts with the wrong one. Undefined if there is none.
 */
export function didYouMean(wrong: string, names: Iterable<string>): string | undefined {
  const candidates = ranked(wrong, names);
  const [nearest] = candidates;
  if (nearest && nearest.distance <= Math.max(1, Math.floor(wrong.length / 3))) return nearest.name;
  const start = wrong.toLowerCase();
  return candidates.find(({ name }) => start.length > 1 && name.toLowerCase().startsWith(start))
    ?.name;
}

/** Levenshtein distance: insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const [diagonal = 0, above = 0] = row.slice(j);
      const replace = diagonal + (letter === other ? 0 : 1);
      next.push(Math.min(replace, above + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
