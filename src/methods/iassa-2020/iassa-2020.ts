import * as v from 'valibot';
import type { Json } from '../../json.ts';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import { withEmptyWindow } from '../../model/perturbation.ts';
import type { Target } from '../../model/target.ts';
import { integer, number, option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attention } from '../iassa/attention.ts';
import { attentionOptions, chooseAttention } from '../iassa/choose-attention.ts';
import { adjust, correlation, highestActivatedRegion } from '../iassa/region.ts';
import { scoreKindOf, scoreOption, scoresPerTarget } from '../iassa/score.ts';
import { type Attribution, defineMethod, type MethodContext } from '../method.ts';
import {
  createEvidence,
  type Evidence,
  type Geometry,
  iterationGeometry,
  perArea,
  type Schedule,
  sampledMap,
  scheduleFor,
  shownGeometry,
  slidingWindowsOverBorder,
  touching,
} from './sampling.ts';

const options = v.object({
  window: v.pipe(
    v.optional(v.pipe(integer, v.minValue(2))),
    v.description(
      'side W0 of the first windows, in pixels; if not given: 45 for inputs of 224 pixels, ' +
        'in proportion to the shorter side',
    ),
  ),
  stride: v.pipe(
    v.optional(v.pipe(integer, v.minValue(1))),
    v.description(
      'step S0 between the first windows, in pixels; if not given: 8 for inputs of 224 ' +
        'pixels, in proportion',
    ),
  ),
  shownScale: option(
    v.pipe(number, v.minValue(1)),
    1.4,
    'side and stride of the windows that are shown alone, as a multiple of the side and ' +
      'stride of the hidden windows',
  ),
  windowStep: v.pipe(
    v.optional(v.pipe(number, v.minValue(0))),
    v.description(
      'how much the window shrinks per iteration, in pixels; if not given: 1.5 for inputs of ' +
        '224 pixels, in proportion',
    ),
  ),
  strideStep: v.pipe(
    v.optional(v.pipe(number, v.minValue(0))),
    v.description(
      'how much the stride shrinks per iteration, in pixels; if not given: 0.2 for inputs of ' +
        '224 pixels, in proportion',
    ),
  ),
  iterations: option(
    v.pipe(integer, v.minValue(0), v.maxValue(1000)),
    25,
    'largest number of iterations after the first sweep',
  ),
  tolerance: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.005,
    'stop if an iteration changes the map by less than this, measured as 1 - correlation ' +
      'with the previous map; 0: never stop',
  ),
  beta: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.5,
    "weight of the sampled map S against the attended map A S: S' = beta S + (1 - beta) A S",
  ),
  threshold: option(
    v.pipe(number, v.minValue(0), v.ltValue(1)),
    0.3,
    'the windows of the next iteration touch the pixels above this share of the range of the map',
  ),
  ...attentionOptions,
  score: scoreOption(
    'the effect of a window is the change of this score of the class: log(p + 0.001), the ' +
      'probability p, or the logit',
  ),
  baseline: baselineOption,
});

type Context = MethodContext<v.InferOutput<typeof options>>;

/** Everything about one picture that does not change from iteration to iteration. */
interface Setting {
  readonly context: Context;
  readonly baseline: Tensor;
  readonly attention: Attention | undefined;
  readonly schedule: Schedule;
  readonly height: number;
  readonly width: number;
}

/**
 * The scores of windows, each hidden (`keep: 'outside'`) or shown alone (`'inside'`). One array
 * [windows] per target.
 */
async function scoreWindows(
  { context, baseline }: Setting,
  windows: Int32Array,
  keep: 'inside' | 'outside',
  targets: readonly Target[],
  onShare: (share: number) => void,
): Promise<Float64Array[]> {
  const { model, input, options, batchSize } = context;
  const { data } = await model.perturb({
    input,
    baseline,
    perturbation: { kind: 'windows', windows, keep },
    targets: targets.map((target) => target.index),
    score: scoreKindOf(options.score),
    batchSize,
    onProgress: (done, total) => onShare(done / total),
  });
  return scoresPerTarget(data, targets.length, options.score);
}

/** The first sweep of one target. */
interface Sweep {
  /** The windows that are shown alone, and how much each raises the score of the baseline. */
  readonly shown: Int32Array;
  readonly gains: Float64Array;
  /** The windows that are hidden, and how much each lowers the score of the whole picture. */
  readonly hidden: Int32Array;
  readonly losses: Float64Array;
  readonly whole: number;
}

/** Shows and hides the first windows, for all targets together. */
async function firstSweep(
  setting: Setting,
  targets: readonly Target[],
  onShare: (share: number) => void,
): Promise<Sweep[]> {
  const { context, schedule, height, width } = setting;
  const sweep = ({ window, stride }: Geometry) =>
    slidingWindowsOverBorder(height, width, window, stride);
  const shown = sweep(shownGeometry(schedule, context.options.shownScale));
  const hidden = sweep(schedule);
  const scoresShown = await scoreWindows(
    setting,
    withEmptyWindow(shown),
    'inside',
    targets,
    (share) => onShare(share / 2),
  );
  const scoresHidden = await scoreWindows(
    setting,
    withEmptyWindow(hidden),
    'outside',
    targets,
    (share) => onShare((1 + share) / 2),
  );
  return targets.map((_, t) => {
    const [own, rest] = [at(scoresShown, t), at(scoresHidden, t)];
    const [nothing, whole] = [at(own, 0), at(rest, 0)];
    return {
      shown,
      gains: own.subarray(1).map((score) => score - nothing),
      hidden,
      losses: rest.subarray(1).map((score) => whole - score),
      whole,
    };
  });
}

/** Why the iterations ended. */
type Stop = 'iterations' | 'converged' | 'content' | 'window' | 'region';

/** The current map of one target, and the evidence behind it. */
class Refinement {
  readonly history: { [key: string]: Json }[] = [];
  map: Tensor;
  private readonly gains: Evidence;
  private readonly losses: Evidence;
  private readonly setting: Setting;
  private readonly target: Target;
  private readonly sweep: Sweep;

  constructor(setting: Setting, target: Target, sweep: Sweep) {
    const { context, schedule, height, width } = setting;
    this.setting = setting;
    this.target = target;
    this.sweep = sweep;
    this.map = tensor([height, width]);
    this.gains = createEvidence(height, width);
    this.losses = createEvidence(height, width);
    const { window } = shownGeometry(schedule, context.options.shownScale);
    this.gains.add(sweep.shown, perArea(sweep.gains, window, schedule.window));
  }

  /** The hidden windows of iteration `n` that touch the high part of the map. */
  windowsOf({ window, stride }: Geometry): Int32Array {
    const { context, height, width } = this.setting;
    const region = highestActivatedRegion(this.map.data, context.options.threshold);
    const windows = slidingWindowsOverBorder(height, width, window, stride);
    return touching(windows, region, height, width);
  }

  /**
   * Adds the losses of hidden windows and updates the map. Returns the reason to stop, or undefined
   * to continue.
   */
  learn(windows: Int32Array, lost: Float64Array, geometry: Geometry): Stop | undefined {
    const { context, attention, schedule, height, width } = this.setting;
    const { beta, tolerance } = context.options;
    this.losses.add(windows, perArea(lost, geometry.window, schedule.window));
    const sampled = sampledMap(this.gains.map(), this.losses.map(), height, width);
    const next = attention ? adjust(sampled, attention.apply(sampled), beta) : sampled;
    const iteration = this.history.length;
    const change = iteration > 0 ? 1 - correlation(next.data, this.map.data) : null;
    this.map = next;
    const detail = { iteration, ...geometry, windows: windows.length / 4, change };
    this.history.push(detail);
    const { target, map } = this;
    if (context.offer({ target, map, detail })) return 'content';
    return change !== null && change < tolerance ? 'converged' : undefined;
  }

  /** How much each hidden window lowers the score of the whole picture. */
  async lossesOf(windows: Int32Array, onShare: (share: number) => void): Promise<Float64Array> {
    const scores = await scoreWindows(this.setting, windows, 'outside', [this.target], onShare);
    return at(scores, 0).map((score) => this.sweep.whole - score);
  }
}

/** Refines the map of one target, iteration by iteration, until it no longer changes. */
async function refine(
  setting: Setting,
  target: Target,
  sweep: Sweep,
  onShare: (share: number) => void,
): Promise<Attribution> {
  const { context, attention, schedule } = setting;
  const { iterations } = context.options;
  const state = new Refinement(setting, target, sweep);
  let stopped = state.learn(sweep.hidden, sweep.losses, iterationGeometry(0, schedule));
  for (let n = 1; stopped === undefined && n <= iterations; n++) {
    const geometry = iterationGeometry(n, schedule);
    const windows = state.windowsOf(geometry);
    if (windows.length === 0) {
      stopped = geometry.window < 2 ? 'window' : 'region';
      break;
    }
    const lost = await state.lossesOf(windows, (share) => onShare((n - 1 + share) / iterations));
    stopped = state.learn(windows, lost, geometry);
  }
  return {
    map: state.map,
    extras: {
      stopped: stopped ?? 'iterations',
      iterations: state.history,
      attention: attention ? [...attention.layers] : [],
    },
  };
}

/**
 * IASSA (Vasu & Long 2020) measures how the score changes if sliding windows are shown alone or
 * hidden. Long-range attention over the network's features spreads the map over regions that look
 * alike. Each further iteration uses finer windows, only on the high part of the map. The map [H,
 * W] is signed and in the unit of `score`; 0 means no effect. `extras.iterations` lists every
 * iteration with its window, stride, number of windows and change of the map; `extras.stopped` is
 * the reason for the end.
 */
export const iassa2020 = defineMethod({
  name: 'iassa-2020',
  title: 'IASSA as published',
  family: 'perturbation',
  paper:
    'Vasu & Long, Iterative and Adaptive Sampling with Spatial Attention for Black-Box Model ' +
    'Explanations, WACV 2020, arXiv:1912.08387',
  needs: ['black-box'],
  uses: ['features'],
  signed: true,
  cost: '1767 for the first sweep, then 400 to 800 per iteration until the map no longer changes',
  options,

  async explain(context) {
    const {
      model,
      input,
      targets,
      options: { baseline },
      progress,
    } = context;
    const [, , height = 0, width = 0] = input.shape;
    const attention = await chooseAttention('iassa-2020', context, context.options.beta < 1);
    const schedule = scheduleFor(context.options, height, width);
    const setting = {
      context,
      baseline: createBaseline(baseline, model, input),
      attention,
      schedule,
      height,
      width,
    };
    const sweeps = await firstSweep(setting, targets, (share) => progress(0.4 * share));
    const attributions: Attribution[] = [];
    for (const [t, target] of targets.entries()) {
      attributions.push(
        await refine(setting, target, at(sweeps, t), (share) =>
          progress(0.4 + (0.6 * (t + share)) / targets.length),
        ),
      );
    }
    return attributions;
  },
});
