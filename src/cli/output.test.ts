import { expect, test } from 'vitest';
import { FoveaError } from '../errors.ts';
import { describeError, exitCodeOf, formatShare, formatTable, wrapText } from './output.ts';

test('formatTable aligns columns, puts numbers right and has no trailing spaces', () => {
  expect(
    formatTable(
      ['name', 'calls'],
      [
        ['iassa', '12,345'],
        ['rise', '–'],
      ],
    ),
  ).toBe(['name    calls', '─────  ──────', 'iassa  12,345', 'rise        –'].join('\n'));
});

test('formatTable leaves text on the left', () => {
  expect(
    formatTable(
      ['n', 'class'],
      [
        ['1', 'cat'],
        ['10', '7up'],
      ],
    ),
  ).toBe([' n  class', '──  ─────', ' 1  cat', '10  7up'].join('\n'));
});

test('formatTable lays out 150,000 rows', () => {
  const rows = Array.from({ length: 150_000 }, (_, i) => [`picture-${i}`, i]);
  const lines = formatTable(['picture', 'n'], rows).split('\n');
  expect(lines).toHaveLength(150_002);
  expect(lines.at(-1)).toBe('picture-149999  149999');
});

test('formatTable escapes what a terminal would obey, and counts wide characters twice', () => {
  const text = formatTable(
    ['label', 'x'],
    [
      ['\x1b]0;t\x07', 'a'],
      ['猫', 'b'],
      ['a\nb', 'c'],
    ],
  );
  expect(text.split('\n').slice(2)).toEqual([
    '\\x1b]0;t\\x07  a',
    `猫${' '.repeat(12)}b`,
    `a\\x0ab${' '.repeat(8)}c`,
  ]);
});

test('wrapText breaks at spaces and indents', () => {
  expect(wrapText('one two three four', 12, '  ')).toBe('  one two\n  three four');
  expect(wrapText('averyveryverylongword x', 8)).toBe('averyveryverylongword\nx');
});

test('formatShare', () => {
  expect([0, 0.00001, 0.5, 0.99999, 1].map(formatShare)).toEqual([
    '0.0%',
    '<0.1%',
    '50.0%',
    '100.0%',
    '100.0%',
  ]);
});

test('exit codes', () => {
  expect(exitCodeOf(new FoveaError('usage', ''))).toBe(2);
  expect(exitCodeOf(new FoveaError('cancelled', ''))).toBe(130);
  expect(exitCodeOf(new FoveaError('model', ''))).toBe(3);
  expect(exitCodeOf(new Error('bug'))).toBe(3);
});

test('an error that is not ours says that it is a bug, without a stack', () => {
  expect(describeError(new TypeError('x is undefined'))).toMatch(
    /^internal: x is undefined \(a bug in Fovea/,
  );
});
