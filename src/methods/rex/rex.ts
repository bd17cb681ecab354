import * as v from 'valibot';
import {
  type CellGame,
  type Criterion,
  cellOrder,
  classProbabilities,
  createCellGame,
  outcomeOf,
  rankOf,
  squareCells,
} from '../../checks/cell-game.ts';
import { checkStatement, disjointSets } from '../../checks/statements.ts';
import { mostTopParts } from '../../checks/top-part.ts';
import { FoveaError } from '../../errors.ts';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import type { Target } from '../../model/target.ts';
import { integer, option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from '../method.ts';
import { requireBudget } from '../shared/budget.ts';
import { scaledLength } from '../shared/scale.ts';
import { regionOf } from '../shared/segment-maps.ts';
import { type Box, eachPixel, segmentsOf } from './boxes.ts';
import { type TestParts, walk } from './responsibility.ts';

const options = v.object({
  iterations: option(
    v.pipe(integer, v.minValue(1), v.maxValue(10_000)),
    20,
    'number of walks; each splits the picture at other random rows and columns',
  ),
  minSide: v.pipe(
    v.optional(v.pipe(integer, v.minValue(1), v.maxValue(4096))),
    v.description(
      'boxes are split as long as a side is longer than this many pixels; if not given: 24, or ' +
        'less for inputs under 224 pixels, in proportion to the shorter side',
    ),
  ),
  maxCalls: option(
    v.pipe(integer, v.minValue(1), v.maxValue(10_000_000)),
    2000,
    'largest number of model calls for the walks; the walk during which it is reached ends early',
  ),
  grid: option(
    v.pipe(integer, v.minValue(2), v.maxValue(64)),
    10,
    'number of cells in each direction for the sets of cells in extras',
  ),
  sets: option(
    v.pipe(integer, v.minValue(1), v.maxValue(64)),
    4,
    'largest number of sufficient sets without a common cell',
  ),
  setCalls: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1_000_000)),
    150,
    'largest number of model calls for each set of cells; twice as many for the contrastive one',
  ),
  baseline: baselineOption,
});

type Options = v.InferOutput<typeof options>;

/** The largest number of model calls of one split: all sets of 4 boxes except the whole. */
const SPLIT_CALLS = 15;
/** The calls for the whole picture and the hidden one. */
const FIRST_CALLS = 2;
/** The share of a budget that is for the sets. */
const SETS_SHARE = 0.4;

/**
 * The largest number of model calls for one class. The contrastive set counts twice, because each
 * test of it takes two calls. A set takes at least the calls for its top part, and one from the
 * other side.
 */
function mostCalls({ maxCalls, sets, setCalls, grid }: Options): number {
  return FIRST_CALLS + maxCalls + (sets + 3) * Math.max(setCalls, leastSetCalls(grid));
}

const leastSetCalls = (grid: number): number => mostTopParts(grid * grid) + 1;

/**
 * Options that keep a budget per class: the sets get 40 %, with fewer sets if they do not fit, and
 * the walks get the rest.
 * @throws FoveaError `usage` if there are too few calls for one split and one set of each kind.
 */
function fitBudget(options: Options, budget: number, targets: number): Options {
  const own = Math.floor(budget / targets);
  if (mostCalls(options) <= own) return options;
  const least = leastSetCalls(options.grid);
  requireBudget('rex', budget, targets * (FIRST_CALLS + SPLIT_CALLS + 4 * least));
  const forSets = Math.floor(SETS_SHARE * own);
  const sets = Math.max(1, Math.min(options.sets, Math.floor(forSets / least) - 3));
  const fitting = Math.max(least, Math.floor(forSets / (sets + 3)));
  const setCalls = Math.max(least, Math.min(options.setCalls, fitting));
  const rest = own - FIRST_CALLS - (sets + 3) * setCalls;
  return { ...options, sets, setCalls, maxCalls: Math.min(options.maxCalls, rest) };
}

/** The model calls of one picture and class. */
interface Calls {
  count: number;
}

/** The picture, its class, and what replaces hidden pixels. */
interface Subject {
  readonly context: MethodContext<Options>;
  readonly target: Target;
  /** When the class counts as kept. */
  readonly criterion: Criterion;
  readonly baseline: Tensor;
  readonly calls: Calls;
}

/** Tests sets of boxes: shows them over the baseline, in one batch. */
function tester({ context, target, criterion, baseline, calls }: Subject): TestParts {
  const { model, input, batchSize } = context;
  const [, , height = 0, width = 0] = input.shape;
  const request = { model, input, baseline, batchSize };
  return async (around, parts, sets) => {
    const cells = { labels: segmentsOf(around, parts, height, width), count: 2 + parts.length };
    const kept = sets.map((shown) => [0, 1, ...parts.map((_, i) => (shown >> i) & 1)]);
    calls.count += sets.length;
    const found = await classProbabilities(request, cells, kept);
    return found.map((row) => outcomeOf(row, target.index, criterion).behind <= 0);
  };
}

/**
 * The responsibility map, [H, W]: for each pixel the sum of the responsibilities of the boxes that
 * contain it, over all splits of a walk, as mean over the walks.
 */
async function responsibilityMap(
  subject: Subject,
  onWalk: (map: Tensor, walks: number) => boolean,
): Promise<Tensor> {
  const { context, target, calls } = subject;
  const { input, options, random } = context;
  const [, , height = 0, width = 0] = input.shape;
  const whole: Box = { top: 0, left: 0, bottom: height, right: width };
  const minSide = options.minSide ?? scaledLength(24, height, width);
  const test = tester(subject);
  const sum = new Float64Array(height * width);
  const hasRoom = () => calls.count + SPLIT_CALLS <= options.maxCalls;
  let walks = 0;
  const mapNow = () =>
    tensor(
      [height, width],
      Float32Array.from(sum, (value) => value / Math.max(1, walks)),
    );
  while (walks < options.iterations && hasRoom()) {
    await walk(whole, {
      minSide,
      random: random.fork(`walk ${target.index} ${walks}`),
      test,
      hasRoom,
      onPart: (box, value) =>
        eachPixel(box, width, (pixel) => {
          sum[pixel] = at(sum, pixel) + value;
        }),
    });
    walks++;
    if (onWalk(mapNow(), walks)) break;
  }
  return mapNow();
}

/** The sets of cells of a map, as JSON. */
async function setsOf(game: CellGame, map: Tensor, { grid, sets, setCalls }: Options) {
  const [height, width] = map.shape;
  const order = cellOrder(map, squareCells(height ?? 0, width ?? 0, grid));
  const explanations = await disjointSets(game, order, sets, setCalls);
  const necessary = await checkStatement(game, order, 'necessary', setCalls);
  const contrastive = await checkStatement(game, order, 'contrastive', setCalls);
  return { explanations, necessary, contrastive };
}

/**
 * When the class counts as kept: if it has at least the rank that it has for the whole picture. A
 * class that has this rank even if everything is hidden, such as one of two classes, must keep half
 * of the probability that the picture adds:
 *
 *   p >= (p(whole) + p(hidden)) / 2
 *
 * @throws FoveaError `unexplained` if the picture adds nothing to the probability of the class.
 */
async function criterionOf(
  { model, input }: MethodContext<Options>,
  { index, label }: Target,
  baseline: Tensor,
): Promise<Criterion> {
  const [, , height = 0, width = 0] = input.shape;
  const one = { labels: new Int32Array(height * width), count: 1 };
  const found = await classProbabilities({ model, input, baseline }, one, [[1], [0]]);
  const [whole, hidden] = [at(found, 0), at(found, 1)];
  const rank = rankOf(whole, index);
  if (outcomeOf(hidden, index, { rank }).behind > 0) return { rank };
  const [p, least] = [at(whole, index), at(hidden, index)];
  if (p > least) return { level: (p + least) / 2 };
  throw new FoveaError(
    'unexplained',
    `"${label}" is as probable if the whole picture is hidden, so no part is needed: choose a ` +
      'class that the picture shows, or another baseline',
  );
}

async function explainTarget(
  context: MethodContext<Options>,
  target: Target,
  position: number,
): Promise<Attribution> {
  const { model, input, options, targets, batchSize, progress, offer } = context;
  const [, , height = 0, width = 0] = input.shape;
  const grid = Math.min(options.grid, height, width);
  const baseline = createBaseline(options.baseline, model, input);
  const criterion = await criterionOf(context, target, baseline);
  const cells = squareCells(height, width, grid);
  const game = createCellGame({ model, input, target, criterion, batchSize }, cells, baseline);
  const calls: Calls = { count: 0 };
  const subject: Subject = { context, target, criterion, baseline, calls };
  const map = await responsibilityMap(subject, (sofar, walks) => {
    progress((position + (0.8 * walks) / options.iterations) / targets.length);
    return offer({ target, map: sofar, detail: { walks } });
  });
  const { explanations, necessary, contrastive } = await setsOf(game, map, { ...options, grid });
  const [sufficient = null] = explanations;
  progress((position + 1) / targets.length);
  return {
    map,
    ...(sufficient && { region: regionOf({ ...cells, height, width }, sufficient.cells) }),
    extras: {
      rex: {
        version: 1,
        grid,
        baseline: options.baseline,
        criterion,
        sufficient,
        necessary,
        contrastive,
        explanations,
      },
    },
  };
}

/**
 * ReX: causal responsibility (Chockler, Kroening & Sun 2021; Chockler, Kelly & Kroening 2025). The
 * map [H, W] is 0 or positive: how responsible a pixel is for the class, summed over the splits of
 * a walk. `extras.rex` has a sufficient, a necessary and a contrastive set of cells, and several
 * sufficient sets without a common cell.
 * @throws FoveaError `unexplained` if the picture adds nothing to the probability of the class.
 */
export const rex = defineMethod({
  name: 'rex',
  title: 'ReX',
  family: 'perturbation',
  paper:
    'Chockler, Kroening & Sun, Explanations for Occluded Images, ICCV 2021; Chockler, Kelly & ' +
    'Kroening, Multiple Different Black Box Explanations for Image Classifiers, ECAI 2025, ' +
    'arXiv:2309.14309',
  needs: ['black-box'],
  signed: false,
  cost: 'depends on the picture: at most maxCalls: 2000, and up to 1,050 for the sets',
  options,
  withBudget: (given, budget, { targets }) => fitBudget(given, budget, targets),

  async explain(context) {
    const attributions: Attribution[] = [];
    for (const [position, target] of context.targets.entries())
      attributions.push(await explainTarget(context, target, position));
    return attributions;
  },
});
