import type { Random } from '../../../src/tensor/random.ts';
import { mutateBytes } from './bytes.ts';
import { chance, HOSTILE_NUMBERS, HOSTILE_TEXTS, pick } from './pick.ts';
import { mutateText } from './text.ts';

/** A value of JSON that may also be text which is written as it stands. */
type Value = unknown;

/** Text that is written without quotes: what `JSON.stringify` never writes. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const deep = (depth: number, open: string, close: string): Raw =>
  new Raw(open.repeat(depth) + close.repeat(depth));

const REPLACEMENTS: readonly ((random: Random, value: Value) => Value)[] = [
  () => null,
  () => true,
  () => [],
  () => ({}),
  (random) => pick(random, HOSTILE_TEXTS),
  (random) => pick(random, HOSTILE_NUMBERS),
  (random) => String(pick(random, HOSTILE_NUMBERS)),
  () => new Raw('NaN'),
  () => new Raw('1e999'),
  () => new Raw('-1e999'),
  () => deep(20_000, '[', ']'),
  () => new Raw(`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
  (_, value) => [value],
  (_, value) => ({ value }),
  (_, value) => (typeof value === 'number' ? String(value) : Number(isText(value) && value)),
  () => ({ toString: 1, valueOf: 2 }),
  (random, value) => Array(pick(random, [2, 5, 3000])).fill(value),
];

const isText = (value: Value): value is string => typeof value === 'string';
const isList = (value: Value): value is Value[] => Array.isArray(value);
const isObject = (value: Value): value is Record<string, Value> =>
  typeof value === 'object' && value !== null && !(value instanceof Raw) && !isList(value);

/** An object with one field changed: replaced, taken out, added, or given twice. */
function changeObject(object: Record<string, Value>, random: Random): Value {
  const entries = Object.entries(object);
  if (entries.length === 0 || chance(random, 0.15))
    return fromEntries([...entries, [pick(random, HOSTILE_TEXTS), change('x', random)]]);
  const i = random.integer(entries.length);
  const [name, value] = entries[i] as [string, Value];
  if (chance(random, 0.1)) return fromEntries(entries.toSpliced(i, 1));
  if (chance(random, 0.1)) return fromEntries([...entries, [name, change(value, random)]]);
  if (chance(random, 0.05))
    return fromEntries(entries.with(i, [pick(random, HOSTILE_TEXTS), value]));
  return fromEntries(entries.with(i, [name, change(value, random)]));
}

/** Entries as an object of JSON, with names that stand twice and with `__proto__` as a field. */
function fromEntries(entries: readonly (readonly [string, Value])[]): Value {
  const names = new Set(entries.map(([name]) => name));
  if (names.size === entries.length && !names.has('__proto__')) return Object.fromEntries(entries);
  return new Raw(`{${entries.map(([name, value]) => `${JSON.stringify(name)}:${write(value)}`)}}`);
}

/** A list with one entry changed, taken out or repeated. */
function changeList(list: readonly Value[], random: Random): Value {
  if (list.length === 0) return [change(1, random)];
  const i = random.integer(list.length);
  if (chance(random, 0.15)) return list.toSpliced(i, 1);
  if (chance(random, 0.15)) return [...list, list[i]];
  return list.with(i, change(list[i], random));
}

/** A value that differs from this one, or has something in it that differs. */
function change(value: Value, random: Random): Value {
  if (chance(random, 0.75)) {
    if (isList(value)) return changeList(value, random);
    if (isObject(value)) return changeObject(value, random);
  }
  return pick(random, REPLACEMENTS)(random, value);
}

function write(value: Value): string {
  if (value instanceof Raw) return value.text;
  if (isList(value)) return `[${value.map(write)}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).map(
    ([name, each]) => `${JSON.stringify(name)}:${write(each)}`,
  );
  return `{${fields}}`;
}

const MOST_CHARACTERS = 2 ** 20;

/** Whether a value may be changed again: lists of lists of repeated values are too much. */
const isShort = (value: Value): boolean => write(value).length < 50_000;

/** A value of JSON with a few of its parts changed, as text. */
export function mutateJson(value: unknown, random: Random): string {
  let result: Value = value;
  const changes = 1 + random.integer(3);
  for (let i = 0; i < changes && (i === 0 || isShort(result)); i++) result = change(result, random);
  const text = write(result).slice(0, MOST_CHARACTERS);
  return chance(random, 0.15) ? mutateText(text, random) : text;
}

/** A mutated JSON file, now and then with bytes that are not UTF-8. */
export function mutateJsonFile(value: unknown, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(mutateJson(value, random));
  return chance(random, 0.1) ? mutateBytes(bytes, random) : bytes;
}
