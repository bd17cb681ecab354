import * as v from 'valibot';
import { number, option } from '../options.ts';
import { at } from '../tensor/at.ts';
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

/** How a phase chooses regions. The first three are shares of the highest value. */
export interface PhaseOptions {
  /** Regions below this share of the best value go to the end of the order. */
  readonly aside: number;
  /** Regions with at least this share of the best value join the queue of a phase. */
  readonly queued: number;
  /**
   * Regions of a window with at least this share of the best value of the window are accepted
   * together.
   */
  readonly accepted: number;
  /** The size of the window, as a share of all regions. */
  readonly window: number;
}

/**
 * A phase ends if the best value of the window falls faster than in the previous step by more than
 * this.
 */
const FALL = 0.02;
/** How many times a region may return to the end of the queue. */
const DEFERRALS = 1;

/** The state after a phase. */
interface PhaseState {
  readonly set: RegionSet;
  readonly accepted: readonly number[];
  readonly left: readonly number[];
}

/**
 * Runs one phase. It repeatedly scores only the first regions of the queue, the window, and accepts
 * all regions of the window that are nearly as good as the best one.
 */
async function runPhase(
  game: RegionGame,
  start: RegionSet,
  queue: readonly number[],
  floor: number,
  { accepted: share, window }: PhaseOptions,
): Promise<PhaseState> {
  const size = Math.max(1, Math.ceil(window * game.regions));
  const deferrals = new Map<number, number>();
  const [accepted, left]: [number[], number[]] = [[], []];
  const bests: number[] = [];
  let [set, waiting] = [start, [...queue]];
  while (waiting.length > 0) {
    const some = waiting.slice(0, size);
    if (game.room() < some.length) break;
    const values = await game.values(some.map((region) => withMember(set, region)));
    const best = Math.max(...values);
    const least = Math.max(floor, share * best);
    const good = byValue(some, values).filter(
      (region) => at(values, some.indexOf(region)) >= least,
    );
    for (const region of good) set = withMember(set, region);
    accepted.push(...good);
    const rest = some.filter((region) => !good.includes(region));
    const again = rest.filter((region) => (deferrals.get(region) ?? 0) < DEFERRALS);
    for (const region of again) deferrals.set(region, (deferrals.get(region) ?? 0) + 1);
    left.push(...rest.filter((region) => !again.includes(region)));
    waiting = [...waiting.slice(size), ...again];
    bests.push(best);
    const [now = 1, before = now, earlier = before] = bests.slice(-3).reverse();
    if (good.length === 0 || before / now - earlier / before > FALL) break;
  }
  return { set, accepted, left: [...left, ...waiting] };
}

/**
 * Sorts the remaining regions by falling value into the queue, the waiting regions, and those that
 * go to the end of the order.
 */
async function sortRegions(
  game: RegionGame,
  set: RegionSet,
  left: readonly number[],
  options: PhaseOptions,
) {
  const values = await game.values(left.map((region) => withMember(set, region)));
  const best = Math.max(...values);
  const worth = new Map(left.map((region, i) => [region, at(values, i)]));
  const reaches = (least: number) => (region: number) => (worth.get(region) ?? 0) >= least * best;
  const sorted = byValue(left, values);
  const kept = sorted.filter(reaches(options.aside));
  const queue = kept.filter(reaches(options.queued));
  return {
    queue,
    waiting: kept.slice(queue.length),
    aside: sorted.slice(kept.length),
    floor: options.queued * best,
  };
}

/**
 * Searches for an order of the regions in phases, starting from the best single region. Each phase
 * scores all remaining regions. Regions that add almost nothing go to the end of the order. The
 * good ones join the queue, which `runPhase` processes in windows. If the game has no room for the
 * next step, the remaining regions keep the order that they have. `progress` gets 0 … 1.
 */
export async function phaseWindowSearch(
  game: RegionGame,
  options: PhaseOptions,
  progress: (share: number) => void = () => {},
): Promise<number[]> {
  const empty: RegionSet = new Uint8Array(game.regions);
  const all = Array.from(empty, (_, region) => region);
  const singles = await game.values(all.map((region) => withMember(empty, region)));
  const [first = 0, ...others] = byValue(all, singles);
  const [order, aside]: [number[], number[]] = [[first], []];
  let [set, left] = [withMember(empty, first), others];
  while (left.length > 0 && game.room() >= left.length) {
    const sorted = await sortRegions(game, set, left, options);
    const phase = await runPhase(game, set, sorted.queue, sorted.floor, options);
    order.push(...phase.accepted);
    aside.push(...sorted.aside);
    set = phase.set;
    left = [...sorted.waiting, ...phase.left];
    progress((order.length + aside.length) / game.regions);
  }
  order.push(...left);
  if (aside.length === 0 || game.room() < aside.length) return [...order, ...aside];
  const last = await game.values(aside.map((region) => withMember(set, region)));
  return [...order, ...byValue(aside, last)];
}

const share = (value: number, description: string) =>
  option(v.pipe(number, v.minValue(0), v.maxValue(1)), value, description);

/**
 * PhaseWin (CVPR 2026): ranks regions as LiMA does, by a search in phases that needs about half of
 * the model calls of LiMA. The map [H, W] is 0 … 1.
 */
export const phasewin = defineMethod({
  name: 'phasewin',
  title: 'PhaseWin',
  family: 'perturbation',
  paper: 'PhaseWin: efficient region search for attribution, CVPR 2026, arXiv:2511.10914',
  needs: ['black-box'],
  signed: false,
  cost: 'about half of the calls of lima: 850',
  options: v.object({
    ...searchOptions,
    aside: share(0.05, 'regions below this share of the best value go to the end of the order'),
    queued: share(
      0.6,
      'regions with at least this share of the best value join the queue of a phase',
    ),
    accepted: share(
      0.99,
      'regions of a window with at least this share of the best value of the window are ' +
        'accepted',
    ),
    window: share(0.3, 'size of the window, as a share of all regions'),
  }),
  withBudget: (options, budget, size) => searchWithin('phasewin', options, budget, size),
  explain: (context) =>
    attributeRegions(context, (game, progress) =>
      phaseWindowSearch(game, context.options, progress),
    ),
});
