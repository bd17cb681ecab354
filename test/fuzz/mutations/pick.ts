import type { Random } from '../../../src/tensor/random.ts';

/** One of a list. */
export const pick = <Value>(random: Random, list: readonly Value[]): Value =>
  list[random.integer(list.length)] as Value;

/** True with this probability. */
export const chance = (random: Random, probability: number): boolean =>
  random.uniform() < probability;

/** Texts that readers stumble over: names of prototypes, controls, directions, markup, numbers. */
export const HOSTILE_TEXTS: readonly string[] = [
  '',
  ' ',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'prototype',
  '\u001b]0;title\u0007',
  '\u001b[2J\u001b[31m',
  'a\u202eb\u2066c',
  '\u0000',
  '\r\nfovea: done',
  '\ud800',
  '\ufeff',
  '../../../etc/passwd',
  '/etc/passwd',
  'C:\\x',
  '<script>alert(1)</script>',
  '%s%n{{x}}',
  '-1',
  '1e999',
  'NaN',
  'null',
  '9007199254740993',
  '🦊'.repeat(40),
  'x'.repeat(5000),
];

/** Numbers at the edges of what readers expect. */
export const HOSTILE_NUMBERS: readonly number[] = [
  0,
  -0,
  1,
  -1,
  2,
  3,
  7,
  8,
  255,
  256,
  65_535,
  65_536,
  1_000_003,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  2 ** 63,
  1e21,
  1e308,
  5e-324,
  0.5,
  -0.5,
  1e-9,
];
