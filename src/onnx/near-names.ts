/**
 * A sentence that offers the names nearest to a wrong one, with a space before it; empty where
 * there are none.
 */
export function nearestNames(wrong: string, names: Iterable<string>): string {
  const ranked = [...new Set(names)]
    .filter((name) => name !== '')
    .map((name) => ({ name, distance: editDistance(wrong.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const near = ranked.slice(0, 3).map(({ name }) => `"${name}"`);
  return near.length === 0 ? '' : ` The nearest names are ${near.join(', ')}.`;
}

/** Levenshtein distance: insertions, deletions and replacements of one character. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
