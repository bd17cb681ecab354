import * as v from 'valibot';
import { integer, option } from '../options.ts';
import { defineMethod } from './method.ts';
import {
  attributeRegions,
  byValue,
  type RegionGame,
  type RegionSet,
  searchOptions,
  searchWithin,
  withMember,
} from './shared/region-search.ts';

/**
 * Bidirectional greedy search for an order of the regions, the most important first. Each round
 * adds every remaining region, one at a time, to the set at the front and scores it. The region
 * with the highest F joins the front. Of the `pending` regions with the lowest F, the one that
 * gives the set at the back the lowest F joins the back. If the game has no room for a round, the
 * remaining regions stay between the two, by falling F of the round before. `progress` gets 0 … 1.
 */
export async function bidirectionalGreedy(
  game: RegionGame,
  pending: number,
  progress: (share: number) => void = () => {},
): Promise<number[]> {
  let front: RegionSet = new Uint8Array(game.regions);
  let back: RegionSet = new Uint8Array(game.regions);
  const [first, last]: [number[], number[]] = [[], []];
  let left = Array.from(front, (_, region) => region);
  while (left.length > 0 && game.room() >= left.length) {
    const values = await game.values(left.map((region) => withMember(front, region)));
    const [best, ...others] = byValue(left, values);
    if (best === undefined) break;
    first.push(best);
    front = withMember(front, best);
    left = others;
    const worst = others.slice(-pending);
    const leastValues =
      worst.length > 1 && game.room() >= worst.length
        ? await game.values(worst.map((region) => withMember(back, region)))
        : new Float64Array(worst.length);
    const least = byValue(worst, leastValues).at(-1);
    if (least !== undefined) {
      last.unshift(least);
      back = withMember(back, least);
      left = left.filter((region) => region !== least);
    }
    progress(1 - left.length ** 2 / game.regions ** 2);
  }
  return [...first, ...left, ...last];
}

/**
 * LiMA (Chen et al. 2025): ranks regions by a bidirectional greedy search. The map [H, W] is 0 … 1;
 * a region that comes earlier in the order has a higher value.
 */
export const lima = defineMethod({
  name: 'lima',
  title: 'LiMA',
  family: 'perturbation',
  paper:
    'Chen, Liang, Li, Liu, Guo, Zhang & Cao, Less is More: Efficient Black-box Attribution via ' +
    'Minimal Interpretable Subset Selection, 2025, arXiv:2504.00470',
  needs: ['black-box'],
  signed: false,
  cost: 'about regions² / 2 + 10 · regions: 1,700',
  options: v.object({
    ...searchOptions,
    pending: option(
      v.pipe(integer, v.minValue(1), v.maxValue(400)),
      8,
      'in each round, one of this many regions with the lowest values joins the back of the order',
    ),
  }),
  withBudget: (options, budget, size) => searchWithin('lima', options, budget, size),
  explain: (context) =>
    attributeRegions(context, (game, progress) =>
      bidirectionalGreedy(game, context.options.pending, progress),
    ),
});
