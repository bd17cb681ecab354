import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { BASELINES, BASELINES_IN_WORDS, baselineOption } from '../../model/input/baseline.ts';
import type { Model, RunOptions } from '../../model/model.ts';
import type { Target } from '../../model/target.ts';
import { integer, number, option } from '../../options.ts';
import { mean } from '../../tensor/statistics.ts';
import { argsortDescending, type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext, methods } from '../method.ts';
import { weightedMaskSum } from '../shared/grid-sums.ts';
import { diverseSubset } from './diverse-subset.ts';
import { buildGraph } from './graph.ts';
import {
  createPatchScorer,
  type PatchLayout,
  type PatchScorer,
  patchGrids,
  patchUpsampling,
} from './patch-scorer.ts';
import {
  allPatches,
  hasPatch,
  type PatchSet,
  patchesOf,
  patchSetOf,
  withoutPatch,
  withPatch,
} from './patch-set.ts';
import { formulaOf, type Sag } from './schema.ts';
import {
  beamSearch,
  combinatorialSearch,
  inOrder,
  type SearchOptions,
  type SufficientSet,
} from './search.ts';

const side = v.pipe(integer, v.minValue(2), v.maxValue(32));

const options = v.object({
  grid: option(
    v.union([side, v.strictTuple([side, side])]),
    7,
    'patches in each direction, or [rows, columns]',
  ),
  patches: option(
    v.picklist(['soft', 'hard']),
    'soft',
    'shape of a patch: overlapping bilinear bumps as in the authors’ code, or tiles',
  ),
  baseline: option(
    v.picklist(BASELINES),
    'black',
    `what hidden patches become: ${BASELINES_IN_WORDS}`,
  ),
  ranking: option(
    v.string(),
    'shown',
    'what ranks the patches: the probability when a patch is shown with its neighbours alone (shown), or the map of a method, such as i-gos',
  ),
  threshold: option(
    v.pipe(number, v.gtValue(0), v.maxValue(1)),
    0.9,
    'a set of patches is sufficient from this share of the probability of the whole picture on',
  ),
  search: option(
    v.picklist(['beam', 'combinatorial']),
    'beam',
    'how explanations are searched for',
  ),
  beamWidth: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1000)),
    3,
    'beam search: insufficient sets that go on at each size',
  ),
  successors: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1024)),
    15,
    'best-ranked patches that may be added to a set; in the combinatorial search, all that are looked at',
  ),
  maxRoots: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1000)),
    10,
    'the search ends after the size at which so many explanations are known',
  ),
  maxSize: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1024)),
    49,
    'largest sets that the search tries',
  ),
  maxOverlap: option(
    v.pipe(integer, v.minValue(0), v.maxValue(1024)),
    1,
    'patches that two of the explanations shown may share',
  ),
  restarts: option(
    v.pipe(integer, v.minValue(0), v.maxValue(64)),
    2,
    'beam search: further, greedy searches without the patches of explanations already chosen, as long as fewer than roots are diverse',
  ),
  maxCalls: option(
    v.pipe(integer, v.minValue(1), v.maxValue(10_000_000)),
    2000,
    'most sets of patches that are evaluated for a class; the search then ends with what it has, and says so',
  ),
  roots: option(v.pipe(integer, v.minValue(1), v.maxValue(64)), 3, 'explanations that are shown'),
  expandAbove: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.4,
    'nodes above this confidence get children',
  ),
  maxChildren: option(
    v.pipe(integer, v.minValue(0), v.maxValue(1024)),
    0,
    'most children of a node; 0: one for each of its patches',
  ),
  structure: option(
    v.picklist(['dag', 'tree']),
    'dag',
    'whether equal sets are one node, as in the paper, or each has its own, as in the authors’ code',
  ),
  maxNodes: option(
    v.pipe(integer, v.minValue(1), v.maxValue(100_000)),
    200,
    'the graph is cut off at so many nodes',
  ),
});

type Options = v.InferOutput<typeof options>;

/** Explanations are seldom larger; for the progress bar only. */
const EXPECTED_SIZE = 8;

const pair = (grid: Options['grid']): [number, number] =>
  typeof grid === 'number' ? [grid, grid] : grid;

/**
 * Mean of a map over each patch, weighted by the patch's mask:
 *
 *   (rowsᵀ · map · columns)_ij / (sum_y rows_yi · sum_x columns_xj)
 */
export function patchMeans(map: Tensor, layout: PatchLayout): Float64Array {
  const [height, width] = map.shape;
  const [gridRows, gridColumns] = layout.grid;
  const { rows, columns } = patchUpsampling(layout, height, width);
  const sums = new Float64Array(gridRows * gridColumns);
  const weights = new Float64Array(gridRows * gridColumns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let i = 0; i < gridRows; i++) {
        const row = rows.data[y * gridRows + i];
        for (let j = 0; row > 0 && j < gridColumns; j++) {
          const weight = row * columns.data[x * gridColumns + j];
          sums[i * gridColumns + j] += weight * map.data[y * width + x];
          weights[i * gridColumns + j] += weight;
        }
      }
    }
  }
  return sums.map((sum, i) => sum / weights[i]);
}

/** Every other patch of every other row, with those around it: together they hold each patch. */
function neighbourhoods([rows, columns]: PatchLayout['grid']): PatchSet[] {
  const near = (i: number, size: number) => [i - 1, i, i + 1].filter((at) => at >= 0 && at < size);
  const everyOther = (size: number) => Array.from({ length: Math.ceil(size / 2) }, (_, i) => 2 * i);
  return everyOther(rows).flatMap((row) =>
    everyOther(columns).map((column) =>
      patchSetOf(near(row, rows).flatMap((y) => near(column, columns).map((x) => y * columns + x))),
    ),
  );
}

/**
 * The patches by falling value, a patch's value being the mean probability of the neighbourhoods
 * that hold it; equal ones in their own order.
 */
async function rankShown(scorer: PatchScorer): Promise<number[]> {
  const shown = neighbourhoods(scorer.layout.grid);
  const scores = await scorer.score(shown);
  const values = Float64Array.from({ length: scorer.count }, (_, patch) => {
    const own = scores.filter((__, i) => hasPatch(shown[i], patch));
    return mean(own);
  });
  return [...argsortDescending(values)];
}

async function rankPatches(
  { options, attribute }: MethodContext<Options>,
  target: Target,
  scorer: PatchScorer,
): Promise<number[]> {
  if (options.ranking === 'shown') return rankShown(scorer);
  const { map } = await attribute(methods.get(options.ranking), target);
  return [...argsortDescending(patchMeans(map, scorer.layout))];
}

/**
 * The patches that a further explanation may use, so that it shares at most `maxOverlap` patches
 * with each one chosen: of those, the ones without which the rest of the picture is worth least.
 * Undefined if what is left is not sufficient, or no calls are left to find out.
 */
async function freePatches(
  scorer: PatchScorer,
  chosen: readonly SufficientSet[],
  maxOverlap: number,
  threshold: number,
): Promise<PatchSet | undefined> {
  const all = allPatches(scorer.count);
  let free = all;
  for (const { set } of chosen) {
    const patches = patchesOf(set);
    const without = patches.map((patch) => withPatch(all & ~set, patch));
    if (scorer.room(without, 1) < without.length) return undefined;
    const rest = await scorer.score(without);
    for (const i of argsortDescending(rest).subarray(maxOverlap))
      free = withoutPatch(free, patches[i]);
  }
  return scorer.room([free]) === 1 && (await scorer.score([free]))[0] >= threshold
    ? free
    : undefined;
}

/** All explanations that the search finds, and those of them that are diverse. */
async function search(
  scorer: PatchScorer,
  ranking: readonly number[],
  options: Options,
  threshold: number,
  onRound: SearchOptions['onRound'],
) {
  const { beamWidth, successors, maxRoots, maxSize, maxOverlap } = options;
  const shared = { scorer, threshold, maxSize, onRound };
  const found = new Map<PatchSet, SufficientSet>();
  const add = (sets: readonly SufficientSet[]) =>
    sets.forEach((each) => void found.set(each.set, each));
  const diverse = () => diverseSubset([...found.values()], maxOverlap);
  if (options.search === 'combinatorial') {
    add(await combinatorialSearch({ ...shared, ranking, maxRoots, pool: successors }));
    return { found: inOrder([...found.values()]), diverse: diverse() };
  }
  add(await beamSearch({ ...shared, ranking, maxRoots, beamWidth, successors }));
  let chosen = diverse();
  for (
    let restart = 0;
    restart < options.restarts && chosen.sets.length > 0 && chosen.sets.length < options.roots;
    restart++
  ) {
    const free = await freePatches(scorer, chosen.sets, maxOverlap, threshold);
    if (free === undefined) break;
    const rest = ranking.filter((patch) => hasPatch(free, patch));
    add(
      await beamSearch({
        ...shared,
        ranking: rest,
        maxRoots: 1,
        beamWidth: 1,
        successors: Math.ceil(successors / 2),
      }),
    );
    chosen = diverse();
  }
  return { found: inOrder([...found.values()]), diverse: chosen };
}

/** map[p] = max over the roots r of confidence_r · up(r)[p] */
function unionMap(
  roots: readonly SufficientSet[],
  whole: number,
  layout: PatchLayout,
  height: number,
  width: number,
): Tensor {
  const map = new Float32Array(height * width);
  for (const { set, probability } of roots) {
    const mask = weightedMaskSum(
      patchGrids([set], layout, height, width),
      [probability / whole],
      height,
      width,
    );
    mask.forEach((value, i) => {
      if (value > map[i]) map[i] = value;
    });
  }
  return tensor([height, width], map);
}

async function explainTarget(
  context: MethodContext<Options>,
  target: Target,
  position: number,
): Promise<Attribution> {
  const { model, input, options, batchSize, targets } = context;
  const layout: PatchLayout = {
    grid: pair(options.grid),
    patches: options.patches,
    baseline: options.baseline,
  };
  const scorer = createPatchScorer(model, input, {
    ...layout,
    target: target.index,
    maxCalls: options.maxCalls,
    batchSize,
  });
  const [whole, hidden] = await scorer.score([allPatches(scorer.count), 0n]);
  if (hidden >= options.threshold * whole) {
    throw new FoveaError(
      'unexplained',
      `with every patch hidden "${target.label}" keeps ${(100 * hidden).toFixed(2)}% of its ${(100 * whole).toFixed(2)}%, so no patch is needed for it: choose a class that the picture shows, or another baseline`,
    );
  }
  const ranking = await rankPatches(context, target, scorer);
  const onRound = (size: number) =>
    context.progress((position + 0.9 * Math.min(1, size / EXPECTED_SIZE)) / targets.length);
  const { found, diverse } = await search(
    scorer,
    ranking,
    options,
    options.threshold * whole,
    onRound,
  );
  if (found.length === 0 && scorer.exhausted()) {
    throw new FoveaError(
      'unexplained',
      `no set of patches that keeps ${Math.round(100 * options.threshold)}% of the ${(100 * whole).toFixed(2)}% for "${target.label}" was found within maxCalls = ${options.maxCalls}: allow more, lower the threshold, or choose a class that the picture shows more clearly`,
    );
  }
  const roots = diverse.sets.slice(0, options.roots);
  const graph = await buildGraph(scorer, roots, whole, options);
  context.progress((position + 1) / targets.length);
  const sag: Sag = {
    version: 1,
    grid: layout.grid as [number, number],
    patches: layout.patches,
    baseline: layout.baseline,
    target: { index: target.index, label: target.label },
    probability: whole,
    threshold: options.threshold,
    ranking,
    explanations: found.map(({ set, probability }) => ({
      patches: patchesOf(set),
      probability,
      confidence: probability / whole,
    })),
    diverse: { maxOverlap: options.maxOverlap, size: diverse.sets.length, exact: diverse.exact },
    roots: roots.map((_, id) => id),
    nodes: [...graph.nodes],
    edges: [...graph.edges],
    truncated: graph.truncated,
    exhausted: scorer.exhausted(),
    formula: formulaOf(roots.map(({ set }) => patchesOf(set))),
  };
  const [, , height, width] = input.shape;
  const warnings = scorer.exhausted()
    ? [
        `the search for "${target.label}" ended after maxCalls = ${options.maxCalls} with what it had found`,
      ]
    : [];
  return {
    map: unionMap(roots, whole, layout, height, width),
    warnings,
    extras: { sag, evaluations: scorer.evaluated() },
  };
}

/**
 * What if other patches were shown? A scorer for the picture of a graph that knows every set whose
 * probability the graph tells; any other set is one model call.
 */
export function sagScorer(
  model: Model,
  input: Tensor,
  sag: Sag,
  options: Pick<RunOptions, 'batchSize' | 'signal'> = {},
): PatchScorer {
  const known = new Map<PatchSet, number>([
    [allPatches(sag.grid[0] * sag.grid[1]), sag.probability],
  ]);
  for (const { patches, probability } of [...sag.explanations, ...sag.nodes])
    known.set(patchSetOf(patches), probability);
  return createPatchScorer(model, input, {
    ...layoutOf(sag),
    target: sag.target.index,
    known,
    ...options,
  });
}

/** How a graph cuts its picture into patches. */
export const layoutOf = ({ grid, patches, baseline }: Sag): PatchLayout => ({
  grid,
  patches,
  baseline: v.parse(baselineOption, baseline),
});

/**
 * Structured attention graphs: which sets of patches suffice, each on its own, and what is lost
 * with each patch.
 */
export const sag = defineMethod({
  name: 'sag',
  title: 'Structured attention graph',
  family: 'perturbation',
  paper:
    'Shitole, Li, Kahng, Tadepalli & Fern, One Explanation is Not Enough: Structured Attention Graphs for Image Classification, NeurIPS 2021, arXiv:2011.06733',
  needs: ['black-box'],
  signed: false,
  cost: 'depends on the picture: 100 to 700 at 7×7 patches, at most maxCalls: 2000',
  options,

  async explain(context) {
    const attributions: Attribution[] = [];
    for (const [position, target] of context.targets.entries())
      attributions.push(await explainTarget(context, target, position));
    return attributions;
  },
});
