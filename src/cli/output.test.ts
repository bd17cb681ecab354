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
  expect(exitCodeOf(new FoveaError('model', ''))).toBe(1);
  expect(exitCodeOf(new Error('bug'))).toBe(1);
});

test('an error that is not ours says that it is a bug, without a stack', () => {
  expect(describeError(new TypeError('x is undefined'))).toMatch(
    /^internal: x is undefined \(a bug in Fovea/,
  );
});
