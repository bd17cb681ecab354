/**
 * The bytes of the file from which each object was parsed. Parsed objects are read-only. A change
 * makes a copy (`{ ...node, inputs }`), and a copy has no source. So an object with a source is
 * unchanged, and writing emits its original bytes.
 */
const sources = new WeakMap<object, Uint8Array>();

/** Freezes a parsed object and records its bytes in the file. */
export function withSource<T extends object>(parsed: T, bytes: Uint8Array): T {
  sources.set(parsed, bytes);
  return Object.freeze(parsed);
}

/** The bytes of an object in its file. Undefined if the object was not parsed or was changed. */
export function sourceOf(parsed: object): Uint8Array | undefined {
  return sources.get(parsed);
}
