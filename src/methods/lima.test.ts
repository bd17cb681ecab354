import { describe, expect, it } from 'vitest';
import { countingGame } from './fixtures/counting-game.ts';
import { bidirectionalGreedy } from './lima.ts';
import type { RegionSet } from './shared/region-search.ts';

const weights = [0.05, 0.3, 0.1, 0.25, 0.2, 0.1];
const additive = (set: RegionSet) => set.reduce((sum, on, i) => sum + on * (weights[i] ?? 0), 0);

describe('bidirectionalGreedy', () => {
  it('orders the regions of an additive game by their weights', async () => {
    const { game } = countingGame(6, additive);
    const order = await bidirectionalGreedy(game, 6);
    expect(order.map((region) => weights[region])).toEqual([0.3, 0.25, 0.2, 0.1, 0.1, 0.05]);
  });

  it('values about half as many sets as a greedy search from one end', async () => {
    const { game, counted } = countingGame(40, (set) =>
      set.reduce((sum, on, i) => sum + on * i, 0),
    );
    const order = await bidirectionalGreedy(game, 8);
    expect(order).toEqual(Array.from({ length: 40 }, (_, i) => 39 - i));
    // 40 + 38 + … + 2 sets for the front, and at most 8 per round for the back.
    expect(counted.calls).toBeLessThanOrEqual(420 + 8 * 20);
    expect(counted.calls).toBeGreaterThan(420);
  });

  it('puts both parts of an AND first, although each alone has no value', async () => {
    const { game } = countingGame(6, (set) => (set[1] && set[4] ? 1 : 0) + additive(set) / 1e6);
    const order = await bidirectionalGreedy(game, 6);
    // Region 1 has the highest weight. Then region 4 completes the AND.
    expect(order.slice(0, 2)).toEqual([1, 4]);
  });

  it('keeps one part of an OR at the front', async () => {
    const { game } = countingGame(5, (set) => (set[0] || set[3] ? 1 : 0));
    const [first] = await bidirectionalGreedy(game, 5);
    expect([0, 3]).toContain(first);
  });

  it('keeps the order of the last round for the regions that it has no room to compare', async () => {
    const { game, counted } = countingGame(6, additive, 6 + 5);
    const order = await bidirectionalGreedy(game, 3);
    expect(counted.calls).toBeLessThanOrEqual(11);
    // One round finds the best region and values each region; then there is no room for a round.
    expect(order.map((region) => weights[region])).toEqual([0.3, 0.25, 0.2, 0.1, 0.1, 0.05]);
  });

  it('orders a single region', async () => {
    expect(await bidirectionalGreedy(countingGame(1, () => 1).game, 8)).toEqual([0]);
  });
});
