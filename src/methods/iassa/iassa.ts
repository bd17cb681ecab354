import * as v from 'valibot';
import { interpolate } from '../../image/interpolate.ts';
import { upsamplingMatrix } from '../../image/upsampling.ts';
import type { Json } from '../../json.ts';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import type { Target } from '../../model/target.ts';
import { integer, number, option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import type { Random } from '../../tensor/random.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from '../method.ts';
import { requireBudget } from '../shared/budget.ts';
import { relativeError } from '../shared/relative-error.ts';
import type { CellGrid } from '../shared/smooth-regression.ts';
import { attentionOptions, chooseAttention } from './choose-attention.ts';
import { type CellMap, Estimate } from './estimate.ts';
import { cellGridOf, hiddenWindows, randomMask, WINDOW } from './masks.ts';
import { highestActivatedRegion } from './region.ts';
import { scoreKindOf, scoreOption, scoresPerTarget } from './score.ts';

const options = v.object({
  calls: option(
    v.pipe(integer, v.minValue(16), v.maxValue(1_000_000)),
    600,
    'number of model calls, for all classes together',
  ),
  tolerance: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0,
    'stop when the mean standard error is below this share of the range of the map; 0: use all ' +
      'calls',
  ),
  threshold: option(
    v.pipe(number, v.minValue(0), v.ltValue(1)),
    0.15,
    'half of the later masks show only pixels above this share of the range of the map',
  ),
  ...attentionOptions,
  score: scoreOption(
    'the map explains this score of the class: log(p + 0.001), the probability p, or the logit',
  ),
  baseline: baselineOption,
});

type Context = MethodContext<v.InferOutput<typeof options>>;

/** Pictures of one round. After each round the maps are updated. */
const ROUND = 100;
/** The share of the calls that hide one window each. */
const WINDOW_CALLS = 1 / 6;
/** After this share of the calls, half of the masks show parts of the high region only. */
const BEFORE_FOCUS = 1 / 3;
/** Random masks: cells along the shorter side, and the shares of cells that they show. */
const COARSE = 7;
const FINE = 8;
const SHARES = [0.3, 0.5];

/** Everything about one picture that does not change. */
interface Setting {
  readonly context: Context;
  readonly baseline: Tensor;
  readonly random: Random;
  readonly grid: CellGrid;
  readonly height: number;
  readonly width: number;
  /** The number of model calls so far, without those before this method. */
  calls(): number;
}

/** The scores of pictures that show masks on the grid of cells. One array [masks] per target. */
async function scoresOf(
  { context, baseline, grid, height, width, calls }: Setting,
  masks: readonly Float32Array[],
): Promise<Float64Array[]> {
  const { model, input, targets, options, batchSize, progress } = context;
  const grids = tensor([masks.length, grid.height, grid.width]);
  masks.forEach((mask, i) => grids.data.set(mask, i * mask.length));
  const before = calls();
  const { data } = await model.perturb({
    input,
    baseline,
    perturbation: {
      kind: 'grids',
      grids,
      rows: upsamplingMatrix('reflect', grid.height, height),
      columns: upsamplingMatrix('reflect', grid.width, width),
      shifts: new Int32Array(2 * masks.length),
    },
    targets: targets.map((target) => target.index),
    score: scoreKindOf(options.score),
    batchSize,
    onProgress: (done) => progress(Math.min(1, (before + done) / options.calls)),
  });
  return scoresPerTarget(data, targets.length, options.score);
}

/**
 * The masks of a later round. Odd masks show random parts of the high region of one target, if there
 * is one: they tell apart what matters. The others show random parts of the whole picture.
 */
function drawMasks(
  { grid, random, context }: Setting,
  count: number,
  maps: readonly CellMap[] | undefined,
): Float32Array[] {
  const regions = maps?.map(({ values }) =>
    highestActivatedRegion(values, context.options.threshold),
  );
  return Array.from({ length: count }, (_, i) => {
    const share = at(SHARES, i % SHARES.length);
    if (!regions || i % 2 === 0) return randomMask(grid, COARSE, share, random);
    const region = at(regions, Math.floor(i / 2) % regions.length);
    return randomMask(grid, FINE, 0.5, random).map((shown, cell) => shown * at(region, cell));
  });
}

/** A map of cells as a map of pixels: the effect of showing a window of side W0 around each. */
function toPixels(cells: ArrayLike<number>, { grid, height, width }: Setting): Tensor {
  const unit = (WINDOW * Math.min(grid.height, grid.width)) ** 2;
  const map = tensor(
    [grid.height, grid.width],
    Float32Array.from(cells, (value) => unit * value),
  );
  return interpolate(map, height, width, { mode: 'bilinear', alignCorners: false });
}

/** The current state of the search for one target. */
interface Progress {
  readonly target: Target;
  readonly estimate: Estimate;
  readonly history: { [key: string]: Json }[];
  map: CellMap;
  errors: Float64Array;
  stopped?: 'content' | 'converged';
}

/** Updates the map of one target, and offers it. */
function update(setting: Setting, state: Progress): void {
  const { context } = setting;
  state.map = state.estimate.map();
  state.errors = state.map.standardErrors();
  const error = relativeError(state.map.values, state.errors);
  const detail = { relativeError: error, beta: state.map.beta };
  state.history.push({ calls: setting.calls(), ...detail });
  const isContent = context.offer({
    target: state.target,
    map: toPixels(state.map.values, setting),
    standardError: toPixels(state.errors, setting),
    detail,
  });
  if (isContent) state.stopped = 'content';
  else if (error < context.options.tolerance) state.stopped = 'converged';
}

/** Adds the scores of masks to the evidence of all targets. */
async function learn(
  setting: Setting,
  states: readonly Progress[],
  masks: readonly Float32Array[],
  group: string,
): Promise<void> {
  const scores = await scoresOf(setting, masks);
  states.forEach(({ estimate }, t) => estimate.add(masks, at(scores, t), group));
}

/**
 * IASSA, after Vasu & Long 2020: iterative and adaptive sampling with spatial attention. Windows
 * are hidden, and random masks are shown alone. After each round of 100 pictures, a Bayesian
 * regression with a smooth prior estimates the effect of every part of the picture from all scores
 * so far, and half of the next masks go to the region where the map is high. Attention over the
 * network's features spreads the map over regions that look alike, as far as this predicts the
 * scores of other masks. The map [H, W] is signed: the change of `score` if a window of side W0 (45
 * of 224 pixels) around the pixel is shown. It comes with its standard error. All targets share all
 * model calls. `iassa-2020` is the published algorithm.
 */
export const iassa = defineMethod({
  name: 'iassa',
  title: 'IASSA',
  family: 'perturbation',
  paper:
    'after Vasu & Long, Iterative and Adaptive Sampling with Spatial Attention for Black-Box Model ' +
    'Explanations, WACV 2020, arXiv:1912.08387',
  needs: ['black-box'],
  uses: ['features'],
  signed: true,
  cost: 'calls: 600',
  options,
  withBudget(given, budget) {
    requireBudget('iassa', budget, 16);
    return { ...given, calls: Math.min(given.calls, budget) };
  },

  async explain(context) {
    const { model, input, targets, options } = context;
    const [, , height = 0, width = 0] = input.shape;
    const start = context.calls();
    const attention = await chooseAttention('iassa', context);
    const grid = cellGridOf(height, width);
    const setting: Setting = {
      context,
      baseline: createBaseline(options.baseline, model, input),
      random: context.random.fork('masks'),
      grid,
      height,
      width,
      calls: () => context.calls() - start,
    };
    const states = targets.map((target): Progress => {
      const estimate = new Estimate(grid, attention);
      const map = estimate.map();
      return { target, estimate, history: [], map, errors: map.standardErrors() };
    });
    const constant = (value: number) => new Float32Array(grid.height * grid.width).fill(value);
    const windows = hiddenWindows(grid, options.calls * WINDOW_CALLS);
    await learn(setting, states, [constant(1), ...windows], 'hidden');
    await learn(setting, states, [constant(0), ...drawMasks(setting, 9, undefined)], 'shown');
    /** Targets whose map is still improved. The caller may have accepted the maps of others. */
    const open = () => states.filter(({ stopped }) => stopped === undefined);
    while (true) {
      for (const state of open()) update(setting, state);
      const left = options.calls - setting.calls();
      if (left <= 0 || open().length === 0) break;
      const isFocused = setting.calls() >= BEFORE_FOCUS * options.calls;
      const maps = isFocused ? open().map(({ map }) => map) : undefined;
      await learn(setting, states, drawMasks(setting, Math.min(ROUND, left), maps), 'shown');
    }
    return states.map(
      ({ map, errors, history, stopped = 'calls' }): Attribution => ({
        map: toPixels(map.values, setting),
        standardError: toPixels(errors, setting),
        extras: { stopped, rounds: history, attention: attention ? [...attention.layers] : [] },
      }),
    );
  },
});
