import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { BASELINES, BASELINES_IN_WORDS, baselineOption } from '../../model/input/baseline.ts';
import type { Model, RunOptions } from '../../model/model.ts';
import type { Target } from '../../model/target.ts';
import { integer, number, option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext, methods } from '../method.ts';
import { requireBudget } from '../shared/budget.ts';
import { upsampleGrid } from '../shared/grid-sums.ts';
import { findExplanations } from './explanations.ts';
import { buildGraph, type SagGraph } from './graph.ts';
import {
  createPatchScorer,
  type PatchLayout,
  type PatchScorer,
  patchUpsampling,
} from './patch-scorer.ts';
import { allPatches, type PatchSet, patchesOf, patchSetOf, withoutPatch } from './patch-set.ts';
import { rankByMap, rankShown } from './ranking.ts';
import { formulaOf, type Sag } from './schema.ts';
import type { SufficientSet } from './search.ts';

const side = v.pipe(integer, v.minValue(2), v.maxValue(32));

const options = v.object({
  grid: option(
    v.union([side, v.strictTuple([side, side])]),
    7,
    'number of patches in each direction, or [rows, columns]',
  ),
  patches: option(
    v.picklist(['soft', 'hard']),
    'soft',
    'shape of a patch: soft patches overlap and fade out bilinearly, as in the authors’ ' +
      'code; hard patches are tiles',
  ),
  baseline: option(
    v.picklist(BASELINES),
    'black',
    `what hidden patches become: ${BASELINES_IN_WORDS}`,
  ),
  ranking: option(
    v.string(),
    'shown',
    'how patches are ranked: shown, by the probability if only a patch and its neighbors are ' +
      'shown; or the name of a method, such as i-gos, by its map',
  ),
  threshold: option(
    v.pipe(number, v.gtValue(0), v.maxValue(1)),
    0.9,
    'a patch set is sufficient if it keeps at least this share of the probability of the ' +
      'full image',
  ),
  search: option(
    v.picklist(['beam', 'combinatorial']),
    'beam',
    'how explanations are searched: beam search, or all combinations of the best-ranked patches',
  ),
  beamWidth: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1000)),
    3,
    'beam search: how many insufficient sets are extended at each size',
  ),
  successors: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1024)),
    15,
    'number of best-ranked patches that may be added to a set; in the combinatorial search, ' +
      'the number of patches that are combined',
  ),
  maxRoots: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1000)),
    10,
    'the search ends after the set size at which it has found this many explanations',
  ),
  maxSize: option(
    v.pipe(integer, v.minValue(1), v.maxValue(1024)),
    49,
    'size of the largest sets that the search tries',
  ),
  maxOverlap: option(
    v.pipe(integer, v.minValue(0), v.maxValue(1024)),
    1,
    'largest number of patches that two of the shown explanations may share; if only one ' +
      'can be shown so, the others may share as many as are needed',
  ),
  restarts: option(
    v.pipe(integer, v.minValue(0), v.maxValue(64)),
    2,
    'beam search: number of further greedy searches without the patches of the chosen ' +
      'explanations, while fewer than roots explanations are diverse',
  ),
  maxCalls: option(
    v.pipe(integer, v.minValue(1), v.maxValue(10_000_000)),
    2000,
    'largest number of sets of patches that are evaluated per class; at this limit the ' +
      'search ends with what it has found and a warning',
  ),
  roots: option(
    v.pipe(integer, v.minValue(1), v.maxValue(64)),
    3,
    'number of explanations that are shown',
  ),
  expandAbove: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.4,
    'nodes above this confidence get children',
  ),
  maxChildren: option(
    v.pipe(integer, v.minValue(0), v.maxValue(1024)),
    0,
    'largest number of children of a node; 0: one per patch',
  ),
  structure: option(
    v.picklist(['dag', 'tree']),
    'dag',
    'dag: equal sets are one node, as in the paper; tree: each occurrence is a node, as in ' +
      'the authors’ code',
  ),
  maxNodes: option(
    v.pipe(integer, v.minValue(1), v.maxValue(100_000)),
    200,
    'largest number of nodes of the graph',
  ),
});

type Options = v.InferOutput<typeof options>;

/** Most explanations have at most this size. It is used only for the progress bar. */
const EXPECTED_SIZE = 8;

const pair = (grid: Options['grid']): [number, number] =>
  typeof grid === 'number' ? [grid, grid] : grid;

/**
 * The confidence that a root loses without each of its patches, by patch [patches]. The graph below
 * a root has these values already, so they cost no model call, except for searches that did not try
 * the deletions. If too few calls remain for these, the confidence of the root is shared equally.
 */
async function losses(
  scorer: PatchScorer,
  { set, probability }: SufficientSet,
  whole: number,
): Promise<Float64Array> {
  const patches = patchesOf(set);
  const without = patches.map((patch) => withoutPatch(set, patch));
  const isAffordable = scorer.room(without) === without.length;
  const rest = isAffordable ? await scorer.score(without) : [];
  const values = new Float64Array(scorer.count);
  patches.forEach((patch, i) => {
    const loss = isAffordable ? probability - at(rest, i) : probability / patches.length;
    values[patch] = Math.max(0, loss) / whole;
  });
  return values;
}

/**
 * map[p] = max over the roots r of sum_i loss_ri · up(i)[p]
 *
 * loss_ri is the confidence that root r loses without its patch i, and up(i) is the mask of patch i.
 */
async function unionMap(
  roots: readonly SufficientSet[],
  whole: number,
  scorer: PatchScorer,
  height: number,
  width: number,
): Promise<Tensor> {
  const map = new Float32Array(height * width);
  const { rows, columns } = patchUpsampling(scorer.layout, height, width);
  for (const root of roots) {
    const values = await losses(scorer, root, whole);
    upsampleGrid(values, rows.data, columns.data, scorer.layout.grid).forEach((value, i) => {
      map[i] = Math.max(at(map, i), value);
    });
  }
  return tensor([height, width], map);
}

async function rankPatches(
  { options, attribute }: MethodContext<Options>,
  target: Target,
  scorer: PatchScorer,
): Promise<number[]> {
  if (options.ranking === 'shown') return rankShown(scorer);
  const { map } = await attribute(methods.get(options.ranking), target);
  return rankByMap(map, scorer.layout);
}

const percent = (share: number): string => `${(100 * share).toFixed(2)}%`;

/**
 * The probability of the whole picture.
 * @throws FoveaError `unexplained` if the baseline alone is sufficient.
 */
async function wholeOf(scorer: PatchScorer, { label }: Target, threshold: number): Promise<number> {
  const [whole = 0, hidden = 0] = await scorer.score([allPatches(scorer.count), 0n]);
  if (hidden < threshold * whole) return whole;
  throw new FoveaError(
    'unexplained',
    `"${label}" keeps ${percent(hidden)} of its ${percent(whole)} if all patches are hidden, ` +
      'so no patch is needed: choose a class that the picture shows, or another baseline',
  );
}

/** The result of the search for one target, without the graph below the roots. */
type Found = Pick<Sag, 'target' | 'probability' | 'ranking' | 'explanations' | 'diverse'>;

/** The graph as JSON. */
function sagOf(
  { layout, exhausted }: PatchScorer,
  { threshold }: Options,
  found: Found,
  roots: readonly SufficientSet[],
  { nodes, edges, truncated }: SagGraph,
): Sag {
  const { target, probability, ranking, explanations, diverse } = found;
  return {
    version: 1,
    grid: [...layout.grid],
    patches: layout.patches,
    baseline: layout.baseline,
    target,
    probability,
    threshold,
    ranking,
    explanations,
    diverse,
    roots: roots.map((_, id) => id),
    nodes: [...nodes],
    edges: [...edges],
    truncated,
    exhausted: exhausted(),
    formula: formulaOf(roots.map(({ set }) => patchesOf(set))),
  };
}

async function explainTarget(
  context: MethodContext<Options>,
  target: Target,
  position: number,
): Promise<Attribution> {
  const { model, input, options, batchSize, targets, progress } = context;
  const { patches, baseline, maxCalls } = options;
  const layout: PatchLayout = { grid: pair(options.grid), patches, baseline };
  const request = { ...layout, target: target.index, maxCalls, batchSize };
  const scorer = createPatchScorer(model, input, request);
  const whole = await wholeOf(scorer, target, options.threshold);
  const ranking = await rankPatches(context, target, scorer);
  const onRound = (size: number) =>
    progress((position + 0.9 * Math.min(1, size / EXPECTED_SIZE)) / targets.length);
  const threshold = options.threshold * whole;
  const { found, diverse, overlap } = await findExplanations(
    scorer,
    ranking,
    options,
    threshold,
    onRound,
  );
  const roots = diverse.sets.slice(0, options.roots);
  const graph = await buildGraph(scorer, roots, whole, options);
  progress((position + 1) / targets.length);
  const known: Found = {
    target: { index: target.index, label: target.label },
    probability: whole,
    ranking,
    explanations: found.map(({ set, probability, isMinimal = true }) => ({
      patches: patchesOf(set),
      probability,
      confidence: probability / whole,
      minimal: isMinimal,
    })),
    diverse: { maxOverlap: overlap, size: diverse.sets.length, exact: diverse.exact },
  };
  const [, , height = 0, width = 0] = input.shape;
  const isMinimal = found.every((each) => each.isMinimal !== false);
  const ended =
    `the search for "${target.label}" ended at maxCalls = ${maxCalls}, so ` +
    (isMinimal ? 'there may be more explanations' : 'its explanation may have spare patches');
  return {
    map: await unionMap(roots, whole, scorer, height, width),
    warnings: scorer.exhausted() ? [ended] : [],
    extras: { sag: sagOf(scorer, options, known, roots, graph), evaluations: scorer.evaluated() },
  };
}

/**
 * Creates a scorer that returns the probability for any set of patches of a graph's picture. Sets
 * in the graph cost nothing. Any other set costs one model call. `input` [1, C, H, W] must be the
 * preprocessed picture of the graph.
 * @throws FoveaError `usage` if the grid of the graph does not fit the input.
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

/** How the picture of a graph is divided into patches. */
export const layoutOf = ({ grid, patches, baseline }: Sag): PatchLayout => ({
  grid,
  patches,
  baseline: v.parse(baselineOption, baseline),
});

/**
 * Structured attention graphs (Shitole et al. 2021): minimal sets of patches that are sufficient
 * for the class on their own, and the confidence that remains if their patches are deleted one by
 * one. The map [H, W] has the confidence that the roots lose without each patch; it is 0 or
 * positive. `extras.sag` is the graph.
 * @throws FoveaError `unexplained` if the class needs no patch.
 */
export const sag = defineMethod({
  name: 'sag',
  title: 'Structured attention graph',
  family: 'perturbation',
  paper:
    'Shitole, Li, Kahng, Tadepalli & Fern, One Explanation is Not Enough: Structured ' +
    'Attention Graphs for Image Classification, NeurIPS 2021, arXiv:2011.06733',
  needs: ['black-box'],
  signed: false,
  cost: 'depends on the picture: 150 to 1,200 at 7×7 patches, at most maxCalls: 2000',
  options,
  /** The first calls score the whole picture and the baseline, and rank the patches. */
  withBudget(options, budget, { targets }) {
    const [rows, columns] = pair(options.grid);
    const ranking = options.ranking === 'shown' ? Math.ceil(rows / 2) * Math.ceil(columns / 2) : 0;
    requireBudget('sag', budget, targets * (2 + ranking));
    return { ...options, maxCalls: Math.min(options.maxCalls, Math.floor(budget / targets)) };
  },

  async explain(context) {
    const attributions: Attribution[] = [];
    for (const [position, target] of context.targets.entries())
      attributions.push(await explainTarget(context, target, position));
    return attributions;
  },
});
