/** Anything that can be written as JSON. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Deeper than any file that is meant: what walks a value may then call itself. */
const MOST_LEVELS = 500;

/** How deep lists and objects are nested in a text of JSON. */
function levelsOf(text: string): number {
  const [QUOTE, BACKSLASH, OPEN, CLOSE] = [34, 92, [91, 123], [93, 125]];
  let [level, most, isQuoted] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isQuoted && code === BACKSLASH) i++;
    else if (code === QUOTE) isQuoted = !isQuoted;
    else if (!isQuoted && OPEN.includes(code)) most = Math.max(most, ++level);
    else if (!isQuoted && CLOSE.includes(code)) level--;
  }
  return most;
}

/**
 * The value of a text of JSON that others wrote.
 * @throws SyntaxError if it is not JSON, or nested so deep that no code could walk it.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const levels = levelsOf(text);
  if (levels <= MOST_LEVELS) return value;
  throw new SyntaxError(`it is nested ${levels} levels deep: at most ${MOST_LEVELS} are read`);
}

/** How a message shows a value that a caller gave: as JSON, or its type if it has no JSON. */
export function shownJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value; // a bigint, or an object that holds itself
  }
}
