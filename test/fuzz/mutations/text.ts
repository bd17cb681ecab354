import type { Random } from '../../../src/tensor/random.ts';
import { mutateBytes } from './bytes.ts';
import { chance, HOSTILE_NUMBERS, HOSTILE_TEXTS, pick } from './pick.ts';

type Change = (text: string, random: Random) => string;

/** Runs of one character make patterns that backtrack slow. */
const RUNS = [
  ' ',
  '\t',
  '\n',
  '0',
  '9',
  'a',
  ',',
  '(',
  '[',
  '{',
  '"',
  '\\',
  '<',
  '&',
  '-',
  '.',
  '#',
];

const CHANGES: readonly Change[] = [
  (text, random) => insert(text, random, pick(random, HOSTILE_TEXTS)),
  (text, random) => insert(text, random, String(pick(random, HOSTILE_NUMBERS))),
  (text, random) =>
    insert(text, random, pick(random, RUNS).repeat(pick(random, [2, 100, 20_000, 100_000]))),
  (text, random) => text.slice(0, random.integer(text.length + 1)),
  (text, random) => {
    const from = random.integer(text.length + 1);
    return text.slice(0, from) + text.slice(from + random.integer(40));
  },
  (text, random) => {
    const lines = text.split('\n');
    const line = pick(random, lines);
    const times = line.length < 500 ? pick(random, [1, 3, 300]) : 1;
    return [...lines, ...Array<string>(times).fill(line)].join('\n');
  },
  (text, random) =>
    text.replace(/\d+/g, (digits) =>
      chance(random, 0.1) ? String(pick(random, HOSTILE_NUMBERS)) : digits,
    ),
  (text, random) => {
    const words = text.split(/\b/);
    const i = random.integer(words.length);
    return words.with(i, pick(random, words)).join('');
  },
];

function insert(text: string, random: Random, part: string): string {
  const at = random.integer(text.length + 1);
  return text.slice(0, at) + part + text.slice(at);
}

const MOST_CHARACTERS = 2 ** 21;

/** A text with parts inserted, repeated, cut off or replaced. */
export function mutateText(text: string, random: Random): string {
  let result = text;
  for (let i = 1 + random.integer(3); i > 0; i--) result = pick(random, CHANGES)(result, random);
  return result.slice(0, MOST_CHARACTERS);
}

/** A mutated text as bytes, now and then with bytes that are not UTF-8. */
export function mutateTextFile(text: string, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(mutateText(text, random));
  return chance(random, 0.2) ? mutateBytes(bytes, random) : bytes;
}
