import { describe, expect, it } from 'vitest';
import { createRegistry } from './registry.ts';

const usage = (message: string) => expect.objectContaining({ code: 'usage', message });

describe('a registry', () => {
  it('finds what was registered, in the order of registration', () => {
    const fruits = createRegistry<{ readonly name: string }>('fruit');
    const [pear, apple] = [{ name: 'pear' }, { name: 'apple' }];
    fruits.register(pear, apple);
    expect(fruits.names).toEqual(['pear', 'apple']);
    expect([...fruits]).toEqual([pear, apple]);
    expect(fruits.get('apple')).toBe(apple);
    expect([fruits.has('pear'), fruits.has('fig')]).toEqual([true, false]);
  });

  it('takes the same object twice, and refuses another of the same name', () => {
    const fruits = createRegistry<{ readonly name: string }>('fruit');
    const pear = { name: 'pear' };
    fruits.register(pear);
    fruits.register(pear);
    expect(fruits.names).toEqual(['pear']);
    expect(() => fruits.register({ name: 'pear' })).toThrow(
      usage('there is already a fruit "pear": rename yours'),
    );
  });

  it('offers the nearest name for a wrong one', () => {
    const fruits = createRegistry<{ readonly name: string }>('fruit');
    expect(() => fruits.get('fig')).toThrow(usage('unknown fruit "fig": no fruit is registered'));
    fruits.register({ name: 'pear' }, { name: 'apple' });
    expect(() => fruits.get('aple')).toThrow(
      usage('unknown fruit "aple": did you mean "apple"? expected one of pear, apple'),
    );
    expect(() => fruits.get('banana')).toThrow(
      usage('unknown fruit "banana": expected one of pear, apple'),
    );
  });

  it.each(['', 'a b', '../x', '-x'])('refuses the name %j', (name) => {
    const fruits = createRegistry<{ readonly name: string }>('fruit');
    expect(() => fruits.register({ name })).toThrow(/is not valid: expected letters, digits/);
  });
});
