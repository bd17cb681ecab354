/**
 * Where a parsed object stands in its file.
 *
 * Parsed objects are read-only: a change is a copy (`{ ...node, inputs }`), and a copy has no
 * source. So an object with a source is exactly what the file says, and writing emits the file's
 * own bytes for it.
 */
const sources = new WeakMap<object, Uint8Array>();

/** Freezes a parsed object and remembers the bytes it came from. */
export function withSource<T extends object>(parsed: T, bytes: Uint8Array): T {
  sources.set(parsed, bytes);
  return Object.freeze(parsed);
}

/** The bytes of an object that is as it was read, or undefined. */
export function sourceOf(parsed: object): Uint8Array | undefined {
  return sources.get(parsed);
}
