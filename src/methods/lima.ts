import * as v from 'valibot';
import { integer, option } from '../options.ts';
import { defineMethod } from './method.ts';
import {
  attributeRegions,
  byValue,
  type RegionGame,
  type RegionSet,
  searchOptions,
  withMember,
} from './shared/region-search.ts';

/**
 * Bidirectional greedy search. A round adds each region that is left to those at the front: the one
 * with the highest F goes to the front. Of the `pending` regions with the lowest F, the one that
 * makes the set at the back worth least goes to the back.
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
  while (left.length > 0) {
    const values = await game.values(left.map((region) => withMember(front, region)));
    const [best, ...others] = byValue(left, values);
    if (best === undefined) break;
    first.push(best);
    front = withMember(front, best);
    left = others;
    const worst = others.slice(-pending);
    const leastValues =
      worst.length > 1
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
  return [...first, ...last];
}

/** LiMA: regions in the order of a bidirectional greedy search. */
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
      'regions with the lowest values of which one goes to the back of the order',
    ),
  }),
  explain: (context) =>
    attributeRegions(context, (game, progress) =>
      bidirectionalGreedy(game, context.options.pending, progress),
    ),
});
