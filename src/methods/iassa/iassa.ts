import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import type { Json } from '../../json.ts';
import { baselineOption, createBaseline } from '../../model/input/baseline.ts';
import { inputRegion, preprocess } from '../../model/input/preprocessing.ts';
import type { FeatureMap, Model } from '../../model/model.ts';
import type { Target } from '../../model/target.ts';
import { integer, number, option } from '../../options.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { type Attribution, defineMethod, type MethodContext } from '../method.ts';
import { type Attention, createAttention } from './attention.ts';
import { adjust, correlation, highestActivatedRegion } from './region.ts';
import {
  createEvidence,
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
      'side W0 of the first windows, in pixels; not given: 45 at 224 pixels, in proportion to the shorter side',
    ),
  ),
  stride: v.pipe(
    v.optional(v.pipe(integer, v.minValue(1))),
    v.description(
      'step S0 between the first windows, in pixels; not given: 8 at 224 pixels, in proportion',
    ),
  ),
  shownScale: option(
    v.pipe(number, v.minValue(1)),
    1.4,
    'side and stride of the windows shown alone, as a multiple of those of the hidden ones',
  ),
  windowStep: v.pipe(
    v.optional(v.pipe(number, v.minValue(0))),
    v.description(
      'how much the window shrinks each iteration, in pixels; not given: 1.5 at 224 pixels, in proportion',
    ),
  ),
  strideStep: v.pipe(
    v.optional(v.pipe(number, v.minValue(0))),
    v.description(
      'how much the stride shrinks each iteration, in pixels; not given: 0.2 at 224 pixels, in proportion',
    ),
  ),
  iterations: option(
    v.pipe(integer, v.minValue(0), v.maxValue(1000)),
    25,
    'most iterations after the first sweep',
  ),
  tolerance: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.005,
    'stop when an iteration changes the map by less: 1 - correlation with the map before; 0: never',
  ),
  beta: option(
    v.pipe(number, v.minValue(0), v.maxValue(1)),
    0.5,
    "weight of the sampled map against the attended one: S' = beta S + (1 - beta) A S",
  ),
  threshold: option(
    v.pipe(number, v.minValue(0), v.ltValue(1)),
    0.3,
    'the next windows touch what lies above this share of the range of the map',
  ),
  features: option(
    v.pipe(v.string(), v.minLength(1)),
    'model',
    'whose features the attention compares: "model" (its own), "none" (a pure black box), or another ONNX model',
  ),
  layers: option(
    v.array(v.string()),
    [],
    'feature maps for the attention, by tensor name; none: the last map at each of the four coarsest resolutions of at most 28 x 28',
  ),
  temperature: option(
    v.pipe(number, v.gtValue(0)),
    0.15,
    'cosine similarities are divided by this before the softmax',
  ),
  score: option(
    v.picklist(['log-probability', 'probability', 'logit']),
    'log-probability',
    'what counts as the effect of a window: the change of log(p + 0.001), of the probability p, or of the logit of the class',
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

/** Feature maps by tensor name, as the `layers` option gives them. */
function chosenLayers(model: Model, names: readonly string[]): FeatureMap[] | undefined {
  if (names.length === 0) return undefined;
  const maps = model.inside?.featureMaps() ?? [];
  return names.map((name) => {
    const found = maps.find((map) => map.name === name);
    if (found) return found;
    const there = maps.map((map) => map.name).join(', ') || 'none';
    throw new FoveaError(
      'usage',
      `iassa.layers: "${name}" is no feature map of ${model.name}: expected some of ${there}`,
    );
  });
}

async function attentionFor({
  model,
  input,
  image,
  options: { features, layers, temperature, beta },
  loadModel,
}: Context): Promise<Attention | undefined> {
  if (features === 'none' || beta === 1) return undefined;
  if (features === 'model')
    return createAttention(model, input, temperature, chosenLayers(model, layers));
  if (!image)
    throw new FoveaError(
      'usage',
      'iassa.features: a second model needs the picture itself, not a preprocessed tensor',
    );
  const other = await loadModel(features);
  const [seen, compared] = [model, other].map(({ preprocessing }) =>
    inputRegion(image.width, image.height, preprocessing),
  );
  if (
    (['left', 'top', 'width', 'height'] as const).some(
      (side) => Math.abs(seen[side] - compared[side]) > 1,
    )
  ) {
    throw new FoveaError(
      'usage',
      `iassa.features: ${other.name} sees another part of the picture than ${model.name}: give it the same crop`,
    );
  }
  const attention = await createAttention(
    other,
    preprocess(image, other.preprocessing),
    temperature,
    chosenLayers(other, layers),
  );
  if (!attention)
    throw new FoveaError('usage', `iassa.features: ${other.name} shows no feature maps`);
  return attention;
}

/**
 * Keeps the logarithm of a probability that vanishes within bounds: below a thousandth, less is no
 * news.
 */
const PROBABILITY_FLOOR = 1e-3;

/**
 * Scores of windows, each hidden (`keep: 'outside'`) or shown alone (`'inside'`): one array a
 * target.
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
    score: options.score === 'logit' ? 'logit' : 'probability',
    batchSize,
    onProgress: (done, total) => onShare(done / total),
  });
  const scale =
    options.score === 'log-probability'
      ? (p: number) => Math.log(p + PROBABILITY_FLOOR)
      : (score: number) => score;
  return targets.map((_, t) =>
    Float64Array.from({ length: windows.length / 4 }, (_, n) =>
      scale(data[n * targets.length + t]),
    ),
  );
}

/** The first sweep of one target. */
interface Sweep {
  /** Windows shown alone, and how far each raises the score of the baseline. */
  readonly shown: Int32Array;
  readonly gains: Float64Array;
  /** Windows hidden, and how far each lowers the score of the whole picture. */
  readonly hidden: Int32Array;
  readonly losses: Float64Array;
  readonly whole: number;
}

/** Shows and hides the first windows, for all targets at once. */
async function firstSweep(
  setting: Setting,
  targets: readonly Target[],
  onShare: (share: number) => void,
): Promise<Sweep[]> {
  const { context, schedule, height, width } = setting;
  const sweep = ({ window, stride }: Geometry) =>
    slidingWindowsOverBorder(height, width, window, stride);
  const withEmpty = (windows: Int32Array) => Int32Array.of(0, 0, 0, 0, ...windows); // an empty window shows nothing, or hides nothing
  const [shown, hidden] = [
    sweep(shownGeometry(schedule, context.options.shownScale)),
    sweep(schedule),
  ];
  const scoresShown = await scoreWindows(setting, withEmpty(shown), 'inside', targets, (share) =>
    onShare(share / 2),
  );
  const scoresHidden = await scoreWindows(setting, withEmpty(hidden), 'outside', targets, (share) =>
    onShare((1 + share) / 2),
  );
  return targets.map((_, t) => {
    const [nothing, whole] = [scoresShown[t][0], scoresHidden[t][0]];
    return {
      shown,
      gains: scoresShown[t].subarray(1).map((score) => score - nothing),
      hidden,
      losses: scoresHidden[t].subarray(1).map((score) => whole - score),
      whole,
    };
  });
}

/** The map of one target, iteration by iteration, until it no longer changes. */
async function refine(
  setting: Setting,
  target: Target,
  sweep: Sweep,
  onShare: (share: number) => void,
): Promise<Attribution> {
  const { context, attention, schedule, height, width } = setting;
  const { options, offer } = context;
  const [gains, losses] = [createEvidence(height, width), createEvidence(height, width)];
  const history: { [key: string]: Json }[] = [];
  let map = tensor([height, width]);
  let calls = sweep.shown.length / 4 + 2;

  /**
   * Takes in how far hidden windows lower the score; answers how much that changed the map, or null
   * for the first time.
   */
  const learn = (
    windows: Int32Array,
    lost: Float64Array,
    geometry: Geometry,
  ): { change: number | null; content: boolean } => {
    losses.add(windows, perArea(lost, geometry.window, schedule.window));
    const sampled = sampledMap(gains.map(), losses.map(), height, width);
    const next = attention ? adjust(sampled, attention.apply(sampled), options.beta) : sampled;
    const change = history.length > 0 ? 1 - correlation(next.data, map.data) : null;
    map = next;
    calls += windows.length / 4;
    const detail = { iteration: history.length, ...geometry, windows: windows.length / 4, change };
    history.push(detail);
    return { change, content: offer({ target, map, calls, detail }) };
  };

  gains.add(
    sweep.shown,
    perArea(sweep.gains, shownGeometry(schedule, options.shownScale).window, schedule.window),
  );
  const { content } = learn(sweep.hidden, sweep.losses, iterationGeometry(0, schedule));
  let stopped = content ? 'content' : 'iterations';
  for (let n = 1; stopped === 'iterations' && n <= options.iterations; n++) {
    const geometry = iterationGeometry(n, schedule);
    const region = highestActivatedRegion(map, options.threshold);
    const windows = touching(
      slidingWindowsOverBorder(height, width, geometry.window, geometry.stride),
      region,
      height,
      width,
    );
    if (windows.length === 0) {
      stopped = geometry.window < 2 ? 'window' : 'region';
      break;
    }
    const [scores] = await scoreWindows(setting, windows, 'outside', [target], (share) =>
      onShare((n - 1 + share) / options.iterations),
    );
    const step = learn(
      windows,
      scores.map((score) => sweep.whole - score),
      geometry,
    );
    if (step.content) stopped = 'content';
    else if (step.change !== null && step.change < options.tolerance) stopped = 'converged';
  }
  return {
    map,
    extras: { stopped, iterations: history, attention: attention ? [...attention.layers] : [] },
  };
}

/**
 * IASSA: sliding windows are shown alone and hidden, and the effect on the score noted; long-range
 * attention over the network's own features spreads the map over look-alike regions; the next,
 * finer windows are spent only where the map is high; and so on. `extras.iterations` lists every
 * iteration with its window, stride, number of windows and change of the map.
 */
export const iassa = defineMethod({
  name: 'iassa',
  title: 'IASSA',
  family: 'perturbation',
  paper:
    'Vasu & Long, Iterative and Adaptive Sampling with Spatial Attention for Black-Box Model Explanations, WACV 2020, arXiv:1912.08387',
  needs: ['black-box'],
  uses: ['features'],
  signed: true,
  cost: '1767 for the first sweep, then 400 to 800 an iteration until the map settles',
  options,

  async explain(context) {
    const {
      model,
      input,
      targets,
      options: { baseline },
      progress,
    } = context;
    const [, , height, width] = input.shape;
    const attention = await attentionFor(context);
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
        await refine(setting, target, sweeps[t], (share) =>
          progress(0.4 + (0.6 * (t + share)) / targets.length),
        ),
      );
    }
    return attributions;
  },
});
