import { describe, expect, it } from 'vitest';
import { countingGame } from './fixtures/counting-game.ts';
import { phaseWindowSearch } from './phasewin.ts';
import type { RegionSet } from './shared/region-search.ts';

const options = { aside: 0.05, queued: 0.6, accepted: 0.99, window: 0.3 };

describe('phaseWindowSearch', () => {
  it('lists every region once', async () => {
    for (const regions of [1, 2, 7, 49]) {
      const { game } = countingGame(regions, (set) =>
        set.reduce((s, on, i) => s + on * (i % 5), 0),
      );
      const order = await phaseWindowSearch(game, options);
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: regions }, (_, i) => i));
    }
  });

  it('orders the regions of an additive game by weight if it accepts one at a time', async () => {
    const { game } = countingGame(12, (set) => set.reduce((sum, on, i) => sum + on * 2 ** i, 0));
    const exact = { aside: 0, queued: 0, accepted: 1, window: 1 };
    const order = await phaseWindowSearch(game, exact);
    expect(order).toEqual(Array.from({ length: 12 }, (_, i) => 11 - i));
  });

  it('values far fewer sets than a greedy search', async () => {
    const worth = (set: RegionSet) => {
      const sum = set.reduce((total, on, i) => total + on * Math.exp(-i / 6), 0);
      return 1 - Math.exp(-sum);
    };
    const { game, counted } = countingGame(49, worth);
    const order = await phaseWindowSearch(game, options);
    expect(counted.calls).toBeLessThan((49 * 50) / 2 / 2);
    expect(order.slice(0, 2)).toEqual([0, 1]);
  });

  it('puts regions that add almost nothing at the end', async () => {
    const { game } = countingGame(4, (set) => (set[0] ? 0 : 1) * (set[2] ? 1 : 0.5));
    const order = await phaseWindowSearch(game, options);
    expect(order[0]).toBe(2);
    expect(order.at(-1)).toBe(0);
  });

  it.each([7, 10, 20, 40])('lists every region once with room for %i sets', async (most) => {
    const { game, counted } = countingGame(
      7,
      (set) => set.reduce((s, on, i) => s + on * i, 0),
      most,
    );
    const order = await phaseWindowSearch(game, options);
    expect(order[0]).toBe(6);
    expect(order.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(counted.calls).toBeLessThanOrEqual(most);
  });

  it('ends if all values are 0 or below', async () => {
    expect(await phaseWindowSearch(countingGame(5, () => 0).game, options)).toHaveLength(5);
    expect(await phaseWindowSearch(countingGame(5, () => -1).game, options)).toHaveLength(5);
  });
});
