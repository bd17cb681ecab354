/**
 * The entry of a table by a name that comes from outside. A plain `table[name]` would find what
 * every object inherits: for the name `constructor`, a function.
 */
export function ownEntry<Value>(
  table: Readonly<Record<string, Value>>,
  name: string,
): Value | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
