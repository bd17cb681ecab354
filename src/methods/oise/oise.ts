import * as v from 'valibot';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import type { Target } from '../../model/target.ts';
import { integer, number, option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import type { Random } from '../../tensor/random.ts';
import { extent, mean } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from '../method.ts';
import { riseGrids } from '../rise.ts';
import { requireBudget } from '../shared/budget.ts';
import { gridOption } from '../shared/grid-sums.ts';
import { type Chain, drawTogether, moveChain, onProbabilities, totalVariation } from './chain.ts';
import { meanUpsampling, showNext, summarize } from './occupancy.ts';

const options = v.object({
  N: option(
    v.pipe(integer, v.minValue(2), v.maxValue(10_000_000)),
    8000,
    'number of model calls: the steps of all chains together',
  ),
  chains: option(
    v.pipe(integer, v.minValue(1), v.maxValue(10_000)),
    160,
    'number of chains that run in parallel',
  ),
  s: gridOption(8),
  p0: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.7,
    'probability that a cell is off in the first mask',
  ),
  rate: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.02,
    'how much a change of the score dims the cells that have just been switched on',
  ),
  totalVariation: option(
    v.pipe(number, v.minValue(0)),
    0,
    'weight of the previous mask in the next one, times the total variation of the previous ' +
      'mask; 0: as in the authors’ code',
  ),
  postprocess: option(
    v.picklist(['none', 'script', 'notebook']),
    'none',
    'none: the share of steps in which a pixel was seen, m; script: max(0, m - 0.96 mean) / ' +
      'max; notebook: max(0, m - mean) / max',
  ),
  baseline: baselineOption,
});

type Options = v.InferOutput<typeof options>;

/** About this many intermediate maps are offered, at equal distances. */
const OFFERS = 20;

/**
 * The two ways of the authors' code to make a map [H, W] from counts: subtract the mean (or 0.96 of
 * the mean), clip at 0, and divide by the largest value. `none` returns the counts.
 */
export function postprocess(map: Tensor, how: Options['postprocess']): Tensor {
  if (how === 'none') return map;
  const level = (how === 'script' ? 0.96 : 1) * mean(map.data);
  const above = map.data.map((value) => Math.max(0, value - level));
  const [, max] = extent(above);
  return tensor(map.shape, max > 0 ? above.map((value) => value / max) : above);
}

/** A chain, its mask as the model sees it, and the sum of its expected masks so far. */
interface Run {
  readonly chain: Chain;
  readonly shown: Float32Array;
  readonly seen: Float64Array;
}

/**
 * Chains whose cells are drawn together. Each group has its own random numbers, so groups are
 * independent.
 */
interface Group {
  readonly random: Random;
  readonly runs: readonly Run[];
}

/** The number of groups of chains. The standard error comes from the spread of the groups. */
const GROUPS = 8;

function startGroups({ chains, s, p0 }: Options, random: Random): Group[] {
  const groups = Math.min(GROUPS, chains);
  return Array.from({ length: groups }, (_, g) => {
    const own = random.fork(`group ${g}`);
    const probabilities = Array.from(
      { length: Math.floor(chains / groups) + (g < chains % groups ? 1 : 0) },
      () => new Float32Array(s * s).fill(1 - p0),
    );
    const runs = drawTogether(probabilities, own).map((on) => {
      const cells = Float32Array.from(on);
      return { chain: { cells, score: 0 }, shown: cells.slice(), seen: new Float64Array(s * s) };
    });
    return { random: own, runs };
  });
}

/**
 * Moves the chains of a group one step. `seen` gets the mean of the next mask instead of the mask
 * that is drawn. The estimate is the same, with less noise.
 */
function advance(
  { random, runs }: Group,
  scores: Float32Array,
  { rate, s, totalVariation: weight }: Options,
): void {
  const on = drawTogether(
    runs.map(({ chain }, k) => onProbabilities(chain.cells, at(scores, k))),
    random,
  );
  for (const [k, { chain, shown, seen }] of runs.entries()) {
    const carried = weight * totalVariation(shown, s);
    const expected = moveChain(chain, at(scores, k), rate, at(on, k));
    showNext({ seen, shown }, expected, chain.cells, carried);
  }
}

/** Draws a shift for the mask of each chain, two integers below `below` each. */
const drawShifts = (groups: readonly Group[], below: readonly number[]): Int32Array =>
  Int32Array.from(
    groups.flatMap(({ random, runs }) =>
      runs.flatMap(() => below.map((limit) => random.integer(limit))),
    ),
  );

async function explainTarget(
  context: MethodContext<Options>,
  target: Target,
  position: number,
): Promise<Attribution> {
  const { model, input, options, random, batchSize, targets, offer, progress } = context;
  const { s, N } = options;
  const [, , height = 0, width = 0] = input.shape;
  const shape = [height, width] as const;
  const count = Math.min(options.chains, N);
  const groups = startGroups({ ...options, chains: count }, random.fork(`class ${target.index}`));
  const baseline = createBaseline(options.baseline, model, input);
  const template = riseGrids(tensor([1, s, s]), new Int32Array(2), height, width);
  const upsampling = {
    rows: meanUpsampling(template.rows, height),
    columns: meanUpsampling(template.columns, width),
    shape,
    s,
  };
  const shiftBelow = [template.rows, template.columns].map(
    (matrix) => at(matrix.shape, 0) / (s + 1),
  );
  const steps = Math.max(1, Math.floor(N / count));
  const runs = groups.flatMap((group) => group.runs);
  let step = 0;
  for (let content = false; step < steps && !content; ) {
    const grids = tensor([count, s, s]);
    runs.forEach(({ shown }, k) => void grids.data.set(shown, k * s * s));
    const perturbation = { ...template, grids, shifts: drawShifts(groups, shiftBelow) };
    const { data } = await model.perturb({
      input,
      baseline,
      perturbation,
      targets: [target.index],
      batchSize,
    });
    let first = 0;
    for (const group of groups) {
      advance(group, data.subarray(first, first + group.runs.length), options);
      first += group.runs.length;
    }
    step++;
    progress((position + step / steps) / targets.length);
    if (step % Math.ceil(steps / OFFERS) !== 0) continue;
    const { map } = summarize(groups, step, upsampling);
    content = offer({
      target,
      map: postprocess(map, options.postprocess),
      detail: { steps: step },
    });
  }
  const { map, standardError } = summarize(groups, step, upsampling);
  const error = options.postprocess === 'none' ? standardError : undefined;
  return {
    map: postprocess(map, options.postprocess),
    standardError: error,
    extras: { chains: count, steps: step },
  };
}

/**
 * OISE (Thakur & Fischmeister 2020): chains of masks. If a mask has a high score, its cells stay
 * on; if it has a low score, they are exchanged for the other cells. The map [H, W] is the share of
 * steps in which a pixel was seen, 0 … 1.
 */
export const oise = defineMethod({
  name: 'oise',
  title: 'OISE',
  family: 'perturbation',
  paper:
    'Thakur & Fischmeister, A generalizable saliency map-based interpretation of model ' +
    'outcome, ICPR 2020, arXiv:2006.09504',
  needs: ['black-box'],
  signed: false,
  cost: 'N per class: 8000',
  options,
  /** The chains keep their number of steps. So a smaller budget has fewer chains. */
  withBudget(options, budget, { targets }) {
    requireBudget('oise', budget, 2 * targets);
    const N = Math.min(options.N, Math.floor(budget / targets));
    const chains = Math.max(1, Math.round((options.chains * N) / options.N));
    return { ...options, N, chains: Math.min(options.chains, chains) };
  },

  async explain(context) {
    const attributions: Attribution[] = [];
    for (const [position, target] of context.targets.entries())
      attributions.push(await explainTarget(context, target, position));
    return attributions;
  },
});
