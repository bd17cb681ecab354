import * as v from 'valibot';
import {
  BASELINES,
  BASELINES_IN_WORDS,
  type BaselineName,
  createBaseline,
} from '../../model/input/baseline.ts';
import { integer, number, option } from '../../options.ts';
import type { Segmentation } from '../../superpixels/superpixels.ts';
import { at } from '../../tensor/at.ts';
import { argsortDescending, type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution, MethodContext } from '../method.ts';
import { paintSegments, segmentationOption, superpixels } from './superpixels.ts';

/** What the methods that search an order of regions have in common. */
export const searchOptions = {
  segmentation: v.optional(segmentationOption, 'slic'),
  segments: option(
    v.pipe(integer, v.minValue(2), v.maxValue(400)),
    49,
    'slic: about how many regions; model calls grow with its square',
  ),
  shown: option(
    v.picklist(BASELINES),
    'blur',
    `what surrounds regions that are shown alone: ${BASELINES_IN_WORDS}`,
  ),
  hidden: option(
    v.picklist(BASELINES),
    'zero',
    `what hidden regions become: ${BASELINES_IN_WORDS}`,
  ),
  insertion: option(v.pipe(number, v.minValue(0)), 1, 'weight of the score of the regions alone'),
  deletion: option(
    v.pipe(number, v.minValue(0)),
    1,
    'weight of the fall of the score without the regions',
  ),
  values: option(
    v.picklist(['rank', 'missing']),
    'missing',
    'what a region counts in the map: its place in the order, or the share of the score that ' +
      'was missing before it was added',
  ),
};

/** The options of `searchOptions` with values. */
export interface SearchOptions {
  readonly segmentation: Parameters<typeof superpixels>[0];
  readonly segments: number;
  readonly shown: BaselineName;
  readonly hidden: BaselineName;
  readonly insertion: number;
  readonly deletion: number;
  readonly values: 'rank' | 'missing';
}

/** A set of regions, [regions]: 1 for its members. */
export type RegionSet = Uint8Array;

/**
 * The value of sets S of regions V:
 *
 *   F(S) = insertion · p(S) + deletion · (1 - p(V \ S))
 *
 * p(S) is the score of the picture that shows S alone, p(V \ S) of the picture without S.
 */
export interface RegionGame {
  readonly regions: number;
  /** F of some sets, as one batch. */
  values(sets: readonly RegionSet[]): Promise<Float64Array>;
}

/** The set with one more member. */
export function withMember(set: RegionSet, region: number): RegionSet {
  const more = set.slice();
  more[region] = 1;
  return more;
}

/** The members of `regions`, whose values are in the same order, by falling value. */
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
  const bits = tensor([kept.length, count]);
  kept.forEach((set, i) => bits.data.set(Float32Array.from(set), i * count));
  const { data } = await model.perturb({
    input,
    baseline,
    perturbation: { kind: 'segments', labels, bits },
    targets: [target],
    batchSize,
  });
  return data;
}

/** The game of one class over the regions of a picture. A weight of 0 costs no model calls. */
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
  return {
    regions: segmentation.count,
    async values(sets) {
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

/** F of the first i regions of an order, i = 0 … regions. */
export async function prefixValues(
  game: RegionGame,
  order: readonly number[],
): Promise<Float64Array> {
  const sets: RegionSet[] = [new Uint8Array(game.regions)];
  for (const region of order) sets.push(withMember(at(sets, sets.length - 1), region));
  return game.values(sets);
}

/**
 * A value per region that falls along the order. `rank`: 1 - i / n for the i-th of n regions.
 * `missing`: the share of the highest F that no set before it had,
 *
 *   1 - max_{j <= i} (F(S_j) - F(S_0)) / max_j (F(S_j) - F(S_0)),   S_j the first j regions,
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

/** An order of the regions of a game, from the one that matters most; `progress` gets 0 … 1. */
export type Search = (
  game: RegionGame,
  progress: (share: number) => void,
) => Promise<readonly number[]>;

/** One attribution per target: the regions in the order that a search finds for it. */
export async function attributeRegions(
  context: MethodContext<SearchOptions>,
  search: Search,
): Promise<Attribution[]> {
  const { model, input, targets, options, progress } = context;
  const segmentation = superpixels(options.segmentation, options.segments, model, input);
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
