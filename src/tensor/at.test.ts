import { expect, it } from 'vitest';
import { FoveaError } from '../errors.ts';
import { at } from './at.ts';

it('at reads an element of an array or a typed array', () => {
  expect(at(['a', 'b'], 1)).toBe('b');
  expect(at(Float32Array.of(0, 2), 0)).toBe(0);
});

it('at throws if the index is outside the list', () => {
  expect(() => at([1, 2], 2)).toThrow(new FoveaError('internal', 'a list of 2 has no element 2'));
  expect(() => at([1, 2], -1)).toThrow(FoveaError);
});
