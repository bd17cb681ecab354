import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as zod from 'zod';
import * as mini from 'zod/mini';
import * as zod3 from 'zod/v3';
import { describeOptions } from './option-words.ts';
import { acceptsOption, integer, option, parseOptions } from './options.ts';

const ours = {
  name: 'ours',
  options: v.object({
    count: option(v.pipe(integer, v.minValue(1), v.maxValue(9)), 3, 'how many'),
    mode: option(v.picklist(['fast', 'slow']), 'fast', 'how'),
  }),
};

describe('options of a plugin', () => {
  it('are completed with their defaults', () => {
    expect(parseOptions(ours)).toEqual({ count: 3, mode: 'fast' });
    expect(parseOptions(ours, { count: 9 })).toEqual({ count: 9, mode: 'fast' });
  });

  it.each([
    [{ cuont: 3 }, 'ours has no option "cuont": did you mean "count"? its options are count, mode'],
    [{ count: 10 }, 'ours.count = 10: expected integer from 1 to 9'],
    [{ count: '3' }, 'ours.count = "3": expected integer from 1 to 9'],
    [{ mode: 'odd' }, 'ours.mode = "odd": expected "fast" | "slow"'],
  ])('refuse %j in one sentence', (given, message) => {
    expect(() => parseOptions(ours, given)).toThrow(
      expect.objectContaining({ code: 'usage', message }),
    );
  });

  it('are described in the order of their declaration', () => {
    expect(describeOptions(ours)).toEqual([
      { name: 'count', type: 'integer from 1 to 9', default: 3, description: 'how many' },
      { name: 'mode', type: '"fast" | "slow"', default: 'fast', description: 'how' },
    ]);
  });

  it('accept a value whatever the other options are', () => {
    expect(acceptsOption(ours, 'count', 5)).toBe(true);
    expect(acceptsOption(ours, 'count', 'five')).toBe(false);
  });
});

describe.each([
  ['zod', zod.object({ count: zod.int().min(1).default(3).describe('how many') })],
  ['zod/mini', mini.object({ count: mini._default(mini.int().check(mini.minimum(1)), 3) })],
])('options that a user declares with %s', (_, options) => {
  const theirs = { name: 'theirs', options };

  it('are parsed, and wrong values are refused in one sentence', () => {
    expect(parseOptions(theirs)).toEqual({ count: 3 });
    expect(() => parseOptions(theirs, { count: 0 })).toThrow(/^theirs\.count = 0: /);
    expect(() => parseOptions(theirs, { many: 1 })).toThrow(/^theirs has no option "many"/);
  });
});

it('options of a version of zod without JSON Schema are listed by their names', () => {
  const count = zod3.number().min(1).default(3).describe('how many');
  const theirs = { name: 'theirs', options: zod3.object({ count }) };
  expect(describeOptions(theirs)).toEqual([
    { name: 'count', type: 'any', default: undefined, description: 'how many' },
  ]);
  expect(parseOptions(theirs)).toEqual({ count: 3 });
  expect(() => parseOptions(theirs, { count: 0 })).toThrow(
    /^theirs\.count = 0: .*greater than or equal to 1$/,
  );
});
