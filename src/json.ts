/** Anything that can be written as JSON. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

/** The deepest nesting that is accepted, so that recursive code cannot overflow the stack. */
const MOST_LEVELS = 500;

/** The depth to which lists and objects are nested in a JSON text. */
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
 * Parses a JSON text from outside.
 * @throws SyntaxError if it is not JSON, or nested more than 500 levels deep.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const levels = levelsOf(text);
  if (levels <= MOST_LEVELS) return value;
  throw new SyntaxError(`it is nested ${levels} levels deep: at most ${MOST_LEVELS} are read`);
}

/** A value as messages show it: as JSON, or its type if it cannot be JSON. */
export function shownJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value; // a bigint, or an object that contains itself
  }
}
