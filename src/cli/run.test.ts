import { expect, it } from 'vitest';
import { budgetPerMap } from './run.ts';

const flags = { device: 'cpu' } as const;

it('shares a budget equally among the maps, after the calls that are not for maps', () => {
  expect(budgetPerMap({ ...flags }, 3, 2)).toBeUndefined();
  // 1 for the probe and 1 per picture: 100 - 1 - 3 = 96 for six maps
  expect(budgetPerMap({ ...flags, budget: 100 }, 3, 2)).toBe(16);
  expect(budgetPerMap({ ...flags, budget: 100 }, 3, 2, 10)).toBe(11);
  expect(budgetPerMap({ ...flags, budget: 10 }, 3, 2)).toBe(1);
  expect(() => budgetPerMap({ ...flags, budget: 9 }, 3, 2)).toThrow(
    '--budget 9: expected at least 10 for 6 maps of 3 pictures',
  );
});

it('leaves the options as they are if responses come from a cache', () => {
  expect(budgetPerMap({ ...flags, budget: 1, requestCache: 'cache' }, 3, 2)).toBeUndefined();
});
