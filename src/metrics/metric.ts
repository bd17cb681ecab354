import { FoveaError, throwIfCancelled } from '../errors.ts';
import type { Image } from '../image/image.ts';
import type { Json } from '../json.ts';
import type { Model, ModelInside } from '../model/model.ts';
import { didYouMean } from '../near-names.ts';
import { type AnyOptions, type OptionsSchema, parseOptions } from '../options.ts';
import { createRegistry } from '../registry.ts';
import { createRandom, type Random } from '../tensor/random.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * What a metric needs besides the map. `model`: the model, its input and the target. `weights`: a
 * model whose weights can be read and replaced, such as an ONNX model. `mask`: the pixels of the
 * object. `explain`: a function that runs the method again. `codec`: `losslessSize`.
 */
export type MetricNeed = 'model' | 'weights' | 'mask' | 'explain' | 'codec';

/**
 * The changes for another run of the explanation that is scored. Method, options and seed stay the
 * same.
 */
export interface ExplainChanges {
  /** Another picture, [1, C, H, W]. */
  readonly input?: Tensor;
  /** Another class. */
  readonly target?: { readonly index: number };
  /** Another model with the same input and classes. */
  readonly model?: Model;
}

/**
 * The input of a metric. The map can come from any source. The `needs` of the metric name the other
 * fields that are required.
 */
export interface MetricContext<Input = AnyOptions> {
  /** The raw map, [H, W]. It must be finite and may have any unit. */
  readonly map: Tensor;
  /** The classifier that was explained. */
  readonly model?: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input?: Tensor;
  /** The class that was explained. */
  readonly target?: { readonly index: number };
  /**
   * The pixels of the object, [H · W] row by row: 0 is background, any other value is the object.
   */
  readonly mask?: Uint8Array;
  /**
   * Pixels that are neither object nor background (255 in VOC), [H · W]: pixels that are not 0 do
   * not count.
   */
  readonly void?: Uint8Array;
  /**
   * Runs the same method again with the same options and seed, and with the given changes. Returns
   * the raw map, [H, W].
   */
  readonly explain?: (changes: ExplainChanges) => Promise<Tensor>;
  /**
   * Returns the size of a picture as a lossless WebP file, in bytes. It measures the information in
   * the picture.
   */
  readonly losslessSize?: (picture: Image) => Promise<number>;
  /**
   * Seed of the random numbers of the metric; 0 by default. Use the same seed for all methods that
   * are compared.
   */
  readonly seed?: number;
  /**
   * The pixels (row · W + column), the most salient first, if the caller has already sorted them.
   * Several metrics can share one order, and a recorded order can be replayed. By default the
   * pixels are sorted by falling value of the map, ties by index.
   */
  readonly order?: ArrayLike<number>;
  /**
   * A store for results that several metrics of one map can use: `sic` and `aic` score the same
   * pictures. Use one store per map.
   */
  readonly shared?: Map<string, unknown>;
  /** Name of a published protocol; by default the first preset of the metric. */
  readonly preset?: string;
  /** Options that differ from those of the preset. */
  readonly options?: Input;
  /**
   * Pictures per call of the session; by default as many as the memory budget allows. It changes
   * results only by rounding.
   */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Called with the share of the work that is done, 0 … 1. */
  readonly onProgress?: (share: number) => void;
}

/** The points of a curve that a metric integrates. x and y have the same length, and x rises. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * How the scores of pictures become the score of a data set. `mean`: their mean. `data-set`: counts
 * are summed over the data set and then divided (`dataSetLevel`). `median-curve`: the area under
 * the median of the curves (`curveLevel`).
 */
export type ScoreLevel = 'mean' | 'data-set' | 'median-curve';

/** The labels of the axes of a curve. */
export interface CurveAxes {
  readonly x: string;
  readonly y: string;
}

/** The score of one map. */
export interface Score {
  /**
   * The score, in the unit of the metric; null if the picture cannot be scored. Averages leave such
   * pictures out.
   */
  readonly value: number | null;
  /** The reason if there is no value. */
  readonly reason?: string;
  readonly curve?: Curve;
  /**
   * Numerators and denominators, for protocols that sum over a data set. `value` is the mean of the
   * ratios. `dataSetLevel` sums numerators and denominators over the pictures before it divides.
   */
  readonly ratios?: readonly (readonly [numerator: number, denominator: number])[];
  /** The preset with exactly these options; `custom` if there is none. */
  readonly preset: string;
  /** All options with their values. */
  readonly options: { readonly [option: string]: Json };
}

/** The result of the computation. `score` adds the preset and the options. */
export type Measurement = Pick<Score, 'value' | 'reason' | 'curve' | 'ratios'>;

/** The method that made a map and its parsed options: the part that a metric may use. */
export interface MapSource {
  readonly method: {
    readonly name: string;
    /** Returns the baseline and score of the sum of the map; see `Method.completeness`. */
    completeness?(options: AnyOptions): AnyOptions | undefined;
  };
  readonly options: AnyOptions;
}

/** The options for the maps of a method, or the reason why these maps have no score. */
export type SourceOptions<Output = AnyOptions> =
  | { readonly options: Partial<Output> }
  | { readonly reason: string };

/**
 * A metric. The library, evaluations and the docs read this one object. `defineMetric` makes a
 * metric from its computation.
 */
export interface Metric<Input = AnyOptions, Output = AnyOptions> {
  readonly name: string;
  readonly title: string;
  /** Whether higher or lower scores are better. */
  readonly direction: 'higher' | 'lower';
  /** The smallest and the largest possible score. */
  readonly range: readonly [min: number, max: number];
  /** Authors, venue, year. */
  readonly paper: string;
  readonly needs: readonly MetricNeed[];
  /** How the published protocol combines the scores of pictures. */
  readonly level: ScoreLevel;
  /** The labels of the axes, if scores have a curve. */
  readonly axes?: CurveAxes;
  /** The options of published protocols, by the name of the protocol. The first is the default. */
  readonly presets: { readonly [preset: string]: Readonly<Record<string, Json>> };
  readonly options: OptionsSchema<Input, Output>;
  /**
   * For metrics that depend on how a map was made: returns options that replace those of the
   * caller, or the reason why maps of this method have no score.
   */
  optionsFrom?(source: MapSource): SourceOptions<NoInfer<Output>>;
  /**
   * Scores one map with the options of the context.
   * @throws FoveaError `usage` if a need is missing, shapes do not fit, the map is not finite, or a
   * preset or option is unknown; `unsupported` if the metric needs weights and those of the model
   * cannot be read; `cancelled` if the signal fires. Errors of the model are passed on.
   */
  score(context: MetricContext<Input>): Promise<Score>;
  /**
   * Scores one map with complete options. It ignores the preset and the options of the context.
   * @throws FoveaError as `score`.
   */
  scoreWith(options: NoInfer<Output>, context: MetricContext): Promise<Measurement>;
}

/** A context in which all fields that a metric needs are present. */
export type Given<Need extends MetricNeed> = MetricContext &
  ('model' extends Need ? Required<Pick<MetricContext, 'model' | 'input' | 'target'>> : unknown) &
  ('weights' extends Need
    ? { readonly model: Model & { readonly inside: ModelInside } }
    : unknown) &
  ('mask' extends Need ? Required<Pick<MetricContext, 'mask'>> : unknown) &
  ('explain' extends Need ? Required<Pick<MetricContext, 'explain'>> : unknown) &
  ('codec' extends Need ? Required<Pick<MetricContext, 'losslessSize'>> : unknown) & {
    /** A random stream for this metric, derived from the caller's seed. */
    readonly random: Random;
  };

/** The argument of `defineMetric`: a metric with the computation `measure` instead of `score`. */
export interface MetricDefinition<Input, Output, Need extends MetricNeed>
  extends Omit<
    Metric<Input, Output>,
    'score' | 'scoreWith' | 'needs' | 'level' | 'options' | 'optionsFrom'
  > {
  readonly needs: readonly Need[];
  /** By default `mean`. */
  readonly level?: ScoreLevel;
  readonly options: OptionsSchema<Input, Output>;
  optionsFrom?(source: MapSource): SourceOptions<NoInfer<Output>>;
  /** Computes the score. It is called with a checked context and complete options. */
  measure(context: Given<Need>, options: NoInfer<Output>): Measurement | Promise<Measurement>;
}

/**
 * Declares a metric. It adds the checks, presets and records that all metrics share to the
 * computation.
 */
export function defineMetric<
  Input extends AnyOptions,
  Output extends AnyOptions,
  const Need extends MetricNeed,
>(definition: MetricDefinition<Input, Output, Need>): Metric<Input, Output> {
  const { measure, ...given } = definition;
  const declared = { level: 'mean' as const, ...given };
  const scoreWith = async (options: Output, context: MetricContext): Promise<Measurement> => {
    throwIfCancelled(context.signal);
    await checkContext(declared, context);
    const random = createRandom(context.seed ?? 0).fork(declared.name);
    return measure({ ...context, random } as Given<Need>, options);
  };
  const score = async (context: MetricContext<Input>): Promise<Score> => {
    throwIfCancelled(context.signal);
    const { preset, options } = resolveMetricOptions(declared, context.preset, context.options);
    const measurement = await scoreWith(options, context);
    return { ...measurement, preset, options: options as Score['options'] };
  };
  return { ...declared, score, scoreWith };
}

type Declared<Input = AnyOptions, Output = AnyOptions> = Pick<
  Metric<Input, Output>,
  'name' | 'needs' | 'presets' | 'options'
>;

/** The default preset of a metric: its first one; `custom` if it has none. */
const firstPreset = ({ presets }: Declared): string => Object.keys(presets)[0] ?? 'custom';

/**
 * The complete options of a metric, and the name of the preset with exactly these options. Options
 * of `given` replace those of the preset (by default the first one). Missing options get their
 * defaults.
 * @throws FoveaError `usage` for an unknown preset, an unknown option, or a value out of range.
 */
export function resolveMetricOptions<Input extends AnyOptions, Output extends AnyOptions>(
  metric: Declared<Input, Output>,
  preset: string = firstPreset(metric),
  given: AnyOptions = {},
): { readonly preset: string; readonly options: Output } {
  const names = Object.keys(metric.presets);
  if (names.length > 0 && !names.includes(preset)) {
    const hint = didYouMean(preset, names);
    throw new FoveaError(
      'usage',
      `${metric.name} has no protocol "${preset}": ${hint}expected one of ${names.join(', ')}`,
    );
  }
  const options = parseOptions(metric, { ...metric.presets[preset], ...given });
  return { preset: presetOf(metric, options, preset), options };
}

/**
 * The name of the preset with exactly these options; `custom` if there is none. Of several, it is
 * `wanted` if possible.
 */
export function presetOf(metric: Declared, options: AnyOptions, wanted: string): string {
  const names = Object.keys(metric.presets);
  const same = (name: string) =>
    JSON.stringify(parseOptions(metric, metric.presets[name])) === JSON.stringify(options);
  const first = names.filter((name) => name === wanted);
  return [...first, ...names].find(same) ?? 'custom';
}

function fail(metric: Declared, what: string): never {
  throw new FoveaError('usage', `${metric.name}: ${what}`);
}

async function checkContext(metric: Declared, context: MetricContext): Promise<void> {
  const { map } = context;
  if (map.shape.length !== 2)
    fail(metric, `the map is ${map.shape.join('×')}, expected [height, width]`);
  if (map.data.length === 0) fail(metric, 'the map has no pixels');
  if (map.data.some((value) => !Number.isFinite(value)))
    fail(metric, 'the map contains NaN or infinite values');
  if (metric.needs.includes('model')) checkModel(metric, context);
  if (metric.needs.includes('weights')) await checkWeights(metric, context.model);
  if (metric.needs.includes('mask')) checkMask(metric, context);
  if (metric.needs.includes('explain') && !context.explain)
    fail(metric, 'needs `explain`, a function that runs the method again');
  if (metric.needs.includes('codec') && !context.losslessSize)
    fail(
      metric,
      'needs `losslessSize`, a function that returns the size of a picture as a lossless file',
    );
}

function checkModel(metric: Declared, { map, model, input, target }: MetricContext): void {
  if (!model || !input || !target) fail(metric, 'needs a model, its input and the target class');
  const [height, width] = map.shape;
  if (input.shape.length !== 4 || input.shape[0] !== 1)
    fail(metric, `the input is ${input.shape.join('×')}, expected [1, channels, height, width]`);
  if (input.shape[2] !== height || input.shape[3] !== width) {
    fail(metric, `the map is ${height}×${width}, the input ${input.shape[2]}×${input.shape[3]}`);
  }
  const classes = model.labels.length;
  if (!(Number.isInteger(target.index) && target.index >= 0 && target.index < classes)) {
    fail(metric, `target ${target.index} is not a class of ${model.name}, which has ${classes}`);
  }
}

/**
 * Checks that the weights of a model can be read and replaced, for a metric that needs them.
 * @throws FoveaError `usage` if there is no model, `unsupported` if its weights cannot be read.
 */
export async function checkWeights(
  { name }: Pick<Metric, 'name'>,
  model: Model | undefined,
): Promise<void> {
  if (!model) throw new FoveaError('usage', `${name}: needs a model with its weights`);
  const layers = (await model.inside?.weightLayers()) ?? [];
  if (layers.length > 0) return;
  const reason = `${name}: the weights of ${model.name} (${model.runtime}) are not known`;
  throw new FoveaError('unsupported', `${reason}: use an ONNX model`);
}

function checkMask(metric: Declared, context: MetricContext): void {
  const { map, mask } = context;
  if (!mask) fail(metric, 'needs the mask of the object');
  const fits = (name: string, pixels: Uint8Array) => {
    if (pixels.length !== map.data.length)
      fail(
        metric,
        `the ${name} has ${pixels.length} pixels, the map ${map.shape.join('×')} = ` +
          `${map.data.length}`,
      );
  };
  fits('mask', mask);
  if (context.void) fits('void mask', context.void);
}

/** The registered metrics, by name. Importing `fovea/metrics` registers all metrics of Fovea. */
export const metrics = createRegistry<Metric>('metric');

/**
 * The types of the registered metrics, by name. A program that registers a metric can add its type.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled by metrics/index.ts and by users
export interface MetricMap {}

export type MetricName = keyof MetricMap;

/**
 * The type of the options that a caller may pass to a metric. `M` is a metric or the name of one.
 */
export type MetricOptions<M> = M extends MetricName
  ? MetricOptions<MetricMap[M]>
  : M extends Metric<infer Input, infer _>
    ? Input
    : never;
