import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import {
  BASELINES,
  BASELINES_IN_WORDS,
  type BaselineName,
  createBaseline,
} from '../../model/input/baseline.ts';
import { keptParts } from '../../model/perturbation.ts';
import { integer, number, option } from '../../options.ts';
import type { Segmentation } from '../../superpixels/superpixels.ts';
import { at } from '../../tensor/at.ts';
import { argsortDescending, type Tensor } from '../../tensor/tensor.ts';
import type { Attribution, MethodContext, RequestSize } from '../method.ts';
import { requireBudget } from './budget.ts';
import { paintSegments } from './segment-maps.ts';
import { segmentationOption, superpixels } from './superpixels.ts';

/** The options that all methods share which search for an order of regions. */
export const searchOptions = {
  segmentation: v.optional(segmentationOption, 'slic'),
  segments: option(
    v.pipe(integer, v.minValue(2), v.maxValue(400)),
    49,
    'approximate number of regions for slic; the number of model calls grows with its square',
  ),
  shown: option(
    v.picklist(BASELINES),
    'blur',
    `what replaces the rest of the picture if regions are shown alone: ${BASELINES_IN_WORDS}`,
  ),
  hidden: option(
    v.picklist(BASELINES),
    'zero',
    `what replaces hidden regions: ${BASELINES_IN_WORDS}`,
  ),
  insertion: option(
    v.pipe(number, v.minValue(0)),
    1,
    'weight of the score if only the regions are shown',
  ),
  deletion: option(
    v.pipe(number, v.minValue(0)),
    1,
    'weight of the drop of the score if the regions are hidden',
  ),
  maxCalls: v.pipe(
    v.optional(v.pipe(integer, v.minValue(2))),
    v.description(
      'largest number of model calls per class; at this limit the other regions keep the order ' +
        'that they have; if not given: no limit',
    ),
  ),
  values: option(
    v.picklist(['rank', 'missing']),
    'missing',
    'the value of a region in the map: rank, by its place in the order; missing, the share ' +
      'of the highest value that was still missing before it was added',
  ),
};

/** The values of `searchOptions`. */
export interface SearchOptions {
  readonly segmentation: Parameters<typeof superpixels>[0];
  readonly segments: number;
  readonly shown: BaselineName;
  readonly hidden: BaselineName;
  readonly insertion: number;
  readonly deletion: number;
  readonly maxCalls?: number;
  readonly values: 'rank' | 'missing';
}

/** The number of model calls per set: one for each term of F. */
const callsPerSet = ({ insertion, deletion }: Pick<SearchOptions, 'insertion' | 'deletion'>) =>
  Number(insertion > 0) + Number(deletion > 0);

/** A search scores at least each region alone, and each of the first sets of the order. */
const fewestSets = (regions: number): number => 2 * regions + 1;

/**
 * The options of a search within a budget for `targets` classes. `segments` falls so that the sets
 * are enough for about half of the rounds: segments² / 4 + 2 · segments + 1 sets.
 */
export function searchWithin<Options extends SearchOptions>(
  name: string,
  options: Options,
  budget: number,
  { targets }: Pick<RequestSize, 'targets'>,
): Options {
  const perSet = Math.max(1, callsPerSet(options));
  const fewest = 4;
  requireBudget(name, budget, targets * perSet * (fewest ** 2 / 4 + fewestSets(fewest)));
  const maxCalls = Math.min(options.maxCalls ?? budget, Math.floor(budget / targets));
  const segments = Math.floor(2 * (Math.sqrt(maxCalls / perSet + 3) - 2));
  return { ...options, maxCalls, segments: Math.min(options.segments, segments) };
}

/** A set of regions, [regions]: 1 for its members, else 0. */
export type RegionSet = Uint8Array;

/**
 * The value F of a set S of the regions V:
 *
 *   F(S) = insertion · p(S) + deletion · (1 - p(V \ S))
 *
 * p(S) is the score of the picture that shows only S. p(V \ S) is the score of the picture without
 * S.
 */
export interface RegionGame {
  readonly regions: number;
  /** The number of further sets that a search may score. */
  room(): number;
  /** The values F of some sets, computed in one batch. */
  values(sets: readonly RegionSet[]): Promise<Float64Array>;
}

/** The set with one more member. */
export function withMember(set: RegionSet, region: number): RegionSet {
  const more = set.slice();
  more[region] = 1;
  return more;
}

/** The members of `regions`, sorted by falling value. `values` has the value of each member. */
export const byValue = (regions: readonly number[], values: Float64Array): number[] =>
  [...argsortDescending(values)].map((i) => at(regions, i));

/** The scores of pictures that keep some regions each, over a baseline. */
async function scoresOf(
  { model, input, batchSize }: Pick<MethodContext<unknown>, 'model' | 'input' | 'batchSize'>,
  { labels, count }: Segmentation,
  target: number,
  baseline: Tensor,
  kept: readonly ArrayLike<number>[],
): Promise<Float32Array> {
  const { data } = await model.perturb({
    input,
    baseline,
    perturbation: keptParts(labels, count, kept),
    targets: [target],
    batchSize,
  });
  return data;
}

/**
 * The game of one class over the regions of a picture. If a weight is 0, its term costs no model
 * calls.
 */
export function regionGame(
  context: Pick<MethodContext<SearchOptions>, 'model' | 'input' | 'batchSize' | 'options'>,
  segmentation: Segmentation,
  target: number,
): RegionGame {
  const { model, input, options } = context;
  const { insertion, deletion } = options;
  const around = createBaseline(options.shown, model, input);
  const instead = createBaseline(options.hidden, model, input);
  const scores = (baseline: Tensor, kept: readonly ArrayLike<number>[]) =>
    scoresOf(context, segmentation, target, baseline, kept);
  let room =
    (options.maxCalls ?? Number.POSITIVE_INFINITY) / callsPerSet(options) - segmentation.count - 1;
  return {
    regions: segmentation.count,
    room: () => room,
    async values(sets) {
      room -= sets.length;
      const result = new Float64Array(sets.length);
      if (insertion > 0) {
        const shown = await scores(around, sets);
        shown.forEach((score, i) => {
          result[i] = insertion * score;
        });
      }
      if (deletion > 0) {
        const left = await scores(
          instead,
          sets.map((set) => set.map((member) => 1 - member)),
        );
        left.forEach((score, i) => {
          result[i] = at(result, i) + deletion * (1 - score);
        });
      }
      return result;
    },
  };
}

/** The value F of the first i regions of an order, for i = 0 … regions: [regions + 1]. */
export async function prefixValues(
  game: RegionGame,
  order: readonly number[],
): Promise<Float64Array> {
  const sets: RegionSet[] = [new Uint8Array(game.regions)];
  for (const region of order) sets.push(withMember(at(sets, sets.length - 1), region));
  return game.values(sets);
}

/**
 * One value per region, 0 … 1, which falls along the order. `rank`: 1 - i / n for region i of n.
 * `missing`: the share of the highest F that no earlier set of the order has reached,
 *
 *   1 - max_{j <= i} (F(S_j) - F(S_0)) / max_j (F(S_j) - F(S_0)),   S_j: the first j regions,
 *
 * plus at most a thousandth of the rank, so that no two regions have the same value.
 */
export function regionValues(
  order: readonly number[],
  prefixes: ArrayLike<number>,
  how: 'rank' | 'missing',
): Float64Array {
  const n = order.length;
  const values = new Float64Array(n);
  const empty = at(prefixes, 0);
  const most = Math.max(...Array.from(prefixes, (value) => value - empty));
  let reached = 0;
  order.forEach((region, i) => {
    const rank = 1 - i / n;
    reached = Math.max(reached, at(prefixes, i) - empty);
    const missing = most > 0 ? 1 - reached / most : 0;
    values[region] = how === 'rank' ? rank : (missing + rank / 1000) / 1.001;
  });
  return values;
}

/**
 * Searches for an order of the regions of a game, the most important first. `progress` gets 0 … 1.
 */
export type Search = (
  game: RegionGame,
  progress: (share: number) => void,
) => Promise<readonly number[]>;

/** @throws FoveaError `usage` if `maxCalls` is too small for a search over this many regions. */
function requireRoom(options: SearchOptions, regions: number): void {
  const { maxCalls } = options;
  const least = callsPerSet(options) * fewestSets(regions);
  if (maxCalls === undefined || maxCalls >= least) return;
  throw new FoveaError(
    'usage',
    `a search over ${regions} regions needs at least ${least} model calls per class, but maxCalls ` +
      `is ${maxCalls}: raise it, or use fewer regions`,
  );
}

/**
 * One attribution per target: `search` finds an order of the regions, and the map has the value of
 * each region in this order.
 */
export async function attributeRegions(
  context: MethodContext<SearchOptions>,
  search: Search,
): Promise<Attribution[]> {
  const { model, input, targets, options, progress } = context;
  const segmentation = superpixels(options.segmentation, options.segments, model, input);
  requireRoom(options, segmentation.count);
  const attributions: Attribution[] = [];
  for (const [t, target] of targets.entries()) {
    const game = regionGame(context, segmentation, target.index);
    const order = await search(game, (share) => progress((t + share) / targets.length));
    const prefixes = await prefixValues(game, order);
    attributions.push({
      map: paintSegments(segmentation, regionValues(order, prefixes, options.values)),
      extras: { regions: segmentation.count, order: [...order], prefixes: [...prefixes] },
    });
  }
  return attributions;
}
