import { describe, expect, test } from 'vitest';
import { integerFrom, names, namesOf, oneOf } from './parsers.ts';

describe('argument parsers', () => {
  test('names are split, trimmed, and each kept once', () => {
    expect(names('a, b,a', undefined)).toEqual(['a', 'b']);
    expect(names('c', ['a'])).toEqual(['a', 'c']);
    expect(() => names(' , ', undefined)).toThrow('one or more names');
  });

  test('names from a list', () => {
    expect(namesOf(['npy', 'png'])('png', undefined)).toEqual(['png']);
    expect(() => namesOf(['npy', 'png'])('gif', undefined)).toThrow(
      '"gif": expected one of npy, png',
    );
    expect(() => namesOf(['npy', 'png'])('pn', undefined)).toThrow('did you mean "png"?');
    expect(() => oneOf(['cpu', 'webgpu'])('wegpu')).toThrow('did you mean "webgpu"?');
  });

  test.each(['1.5', 'x', '', '-1', '1e3', '99999999999999999999'])(
    '"%s" is not an integer of at least 0',
    (text) => {
      expect(() => integerFrom(0)(text)).toThrow('an integer of at least 0');
    },
  );

  test('integers', () => {
    expect(integerFrom(0, 10)('10')).toBe(10);
    expect(() => integerFrom(0, 10)('11')).toThrow('an integer from 0 to 10');
  });
});
