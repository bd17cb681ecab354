import { expect, it } from 'vitest';
import { parseJson, shownJson } from './json.ts';

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

it('reads JSON, and refuses JSON that is nested too deep', () => {
  expect(parseJson('{"a": [1, "]}[{\\"[", {}]}')).toEqual({ a: [1, ']}[{"[', {}] });
  expect(() => JSON.stringify(parseJson(nested(500)))).not.toThrow();
  expect(() => parseJson(nested(501))).toThrow('nested 501 levels deep: at most 500');
  expect(() => parseJson(nested(1_000_000))).toThrow(SyntaxError);
});

it('shows any value', () => {
  const own: unknown[] = [];
  own.push(own);
  expect([1, 'a', undefined, 5n, own].map(shownJson)).toEqual([
    '1',
    '"a"',
    'undefined',
    'bigint',
    'object',
  ]);
});
