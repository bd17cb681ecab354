import { expect, test } from 'vitest';
import { linesOf, naturalOrder, stemOf } from './files.ts';

test('naturalOrder puts 2 before 10', () => {
  expect(['x10', 'x2', 'X1', 'x1'].sort(naturalOrder)).toEqual(['x1', 'X1', 'x2', 'x10']);
});

test('stemOf removes the folder and the last extension', () => {
  expect(['a/b.tar.gz', 'c', 'd/e.JPG'].map(stemOf)).toEqual(['b.tar', 'c', 'e']);
});

test('linesOf leaves out comments and empty lines, but counts them in line numbers', () => {
  expect(linesOf('# a\r\n\n b c \nd')).toEqual([
    { number: 3, text: 'b c' },
    { number: 4, text: 'd' },
  ]);
});
