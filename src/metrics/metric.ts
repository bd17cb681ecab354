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
 * What a metric must be given besides the map: `model` means model, input and target together,
 * `weights` for a model whose weights can be read and replaced (an ONNX model), `explain` for a way
 * to run the method again, `codec` for `losslessSize`.
 */
export type MetricNeed = 'model' | 'weights' | 'mask' | 'explain' | 'codec';

/**
 * Overrides for running the explanation that is scored again; method, options and seed stay the
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
 * What a metric measures. The map is any map, whoever made it; the rest is as the metric's `needs`
 * say.
 */
export interface MetricContext<Input = AnyOptions> {
  /** The raw map, [H, W]; finite, any unit: only order or relative height counts. */
  readonly map: Tensor;
  /** The classifier that was explained. */
  readonly model?: Model;
  /** The preprocessed picture, [1, C, H, W]. */
  readonly input?: Tensor;
  /** The class that was explained. */
  readonly target?: { readonly index: number };
  /** The object's pixels, [H · W] row by row: 0 is background, anything else the object. */
  readonly mask?: Uint8Array;
  /**
   * Pixels that are neither object nor background (VOC's 255), [H · W]: anything but 0 is left out
   * of the count.
   */
  readonly void?: Uint8Array;
  /** Explains again with the same method, options and seed; returns the raw map, [H, W]. */
  readonly explain?: (changes: ExplainChanges) => Promise<Tensor>;
  /** Bytes of a picture as a lossless WebP file: how much information it holds. */
  readonly losslessSize?: (picture: Image) => Promise<number>;
  /** Seeds what a metric draws; 0 by default. The same for all methods that are compared. */
  readonly seed?: number;
  /**
   * The pixels (row · W + column), most salient first, where the caller has sorted them already:
   * shared between metrics, or recorded elsewhere and replayed. By default the map's values in
   * falling order, ties by index.
   */
  readonly order?: ArrayLike<number>;
  /**
   * Where metrics of one map keep what the next can use: `sic` and `aic` look at the same pictures.
   * One for each map.
   */
  readonly shared?: Map<string, unknown>;
  /** Name of a published protocol; the metric's first preset by default. */
  readonly preset?: string;
  /** Options that differ from the preset's. */
  readonly options?: Input;
  /**
   * Pictures per session call; by default as many as the memory budget allows. Results depend on it
   * by rounding only.
   */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Called with the share of the work done, 0 … 1. */
  readonly onProgress?: (share: number) => void;
}

/** The points of a curve that a metric integrates: both of the same length, x rising. */
export interface Curve {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/**
 * How the scores of pictures become one of a data set: their mean, counts summed over the data set
 * before they are divided (`dataSetLevel`), or the area under the median of the curves
 * (`curveLevel`).
 */
export type ScoreLevel = 'mean' | 'data-set' | 'median-curve';

/** What a curve's axes are, in words. */
export interface CurveAxes {
  readonly x: string;
  readonly y: string;
}

/** The score of one map. */
export interface Score {
  /**
   * The score, in the metric's unit; null if the picture cannot be scored and must be left out of
   * averages.
   */
  readonly value: number | null;
  /** Why there is no value. */
  readonly reason?: string;
  readonly curve?: Curve;
  /**
   * For protocols that accumulate over a data set: numerators and denominators; `value` is the mean
   * of their ratios. `dataSetLevel` sums each over the pictures before it divides.
   */
  readonly ratios?: readonly (readonly [numerator: number, denominator: number])[];
  /** The preset that has exactly these options; `custom` if none has. */
  readonly preset: string;
  /** Every option with its value. */
  readonly options: { readonly [option: string]: Json };
}

/** What the computation itself returns; `score` adds preset and options. */
export type Measurement = Pick<Score, 'value' | 'reason' | 'curve' | 'ratios'>;

/** The method that made a map, as far as a metric may look at it, with its parsed options. */
export interface MapSource {
  readonly method: {
    readonly name: string;
    /** Which baseline and score the sum of the map refers to; see `Method.completeness`. */
    completeness?(options: AnyOptions): AnyOptions | undefined;
  };
  readonly options: AnyOptions;
}

/** What a metric measures with, or why it has no score for the maps of a method. */
export type SourceOptions<Output = AnyOptions> =
  | { readonly options: Partial<Output> }
  | { readonly reason: string };

/**
 * A metric: one object that the library, evaluations and the docs all read. `defineMetric` makes
 * one from its computation.
 */
export interface Metric<Input = AnyOptions, Output = AnyOptions> {
  readonly name: string;
  readonly title: string;
  /** Which scores are better. */
  readonly direction: 'higher' | 'lower';
  /** Smallest and largest possible score. */
  readonly range: readonly [min: number, max: number];
  /** Authors, venue, year. */
  readonly paper: string;
  readonly needs: readonly MetricNeed[];
  /** How the metric's protocol gets from pictures to a data set. */
  readonly level: ScoreLevel;
  /** For metrics whose scores have a curve. */
  readonly axes?: CurveAxes;
  /** Options by the name of the protocol they come from; the first is the default. */
  readonly presets: { readonly [preset: string]: Readonly<Record<string, Json>> };
  readonly options: OptionsSchema<Input, Output>;
  /**
   * For metrics that must know how a map was made: options that replace the caller's, or the reason
   * why maps of this method have no score.
   */
  optionsFrom?(source: MapSource): SourceOptions<NoInfer<Output>>;
  /**
   * Scores one map with the options of the context.
   * @throws FoveaError `usage` for a need not met, shapes that do not fit, a map that is not
   * finite, an unknown preset or option; `unsupported` for a model without weights that can be
   * read, if the metric needs them; `cancelled` if the signal fires; whatever the model throws.
   */
  score(context: MetricContext<Input>): Promise<Score>;
  /**
   * Scores one map with complete options; reads neither preset nor options of the context.
   * @throws FoveaError as `score`.
   */
  scoreWith(options: NoInfer<Output>, context: MetricContext): Promise<Measurement>;
}

/** A context in which all that a metric needs is there. */
export type Given<Need extends MetricNeed> = MetricContext &
  ('model' extends Need ? Required<Pick<MetricContext, 'model' | 'input' | 'target'>> : unknown) &
  ('weights' extends Need
    ? { readonly model: Model & { readonly inside: ModelInside } }
    : unknown) &
  ('mask' extends Need ? Required<Pick<MetricContext, 'mask'>> : unknown) &
  ('explain' extends Need ? Required<Pick<MetricContext, 'explain'>> : unknown) &
  ('codec' extends Need ? Required<Pick<MetricContext, 'losslessSize'>> : unknown) & {
    /** A stream of its own for each metric, from the caller's seed. */
    readonly random: Random;
  };

/** What the author of a metric writes: a metric, with the computation instead of `score`. */
export interface MetricDefinition<Input, Output, Need extends MetricNeed>
  extends Omit<
    Metric<Input, Output>,
    'score' | 'scoreWith' | 'needs' | 'level' | 'options' | 'optionsFrom'
  > {
  readonly needs: readonly Need[];
  /** `mean` if not given. */
  readonly level?: ScoreLevel;
  readonly options: OptionsSchema<Input, Output>;
  optionsFrom?(source: MapSource): SourceOptions<NoInfer<Output>>;
  /** Called with a checked context and complete options. */
  measure(context: Given<Need>, options: NoInfer<Output>): Measurement | Promise<Measurement>;
}

/**
 * Declares a metric: wraps the computation in the checks, presets and records that are the same for
 * all metrics.
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

/** The default preset of a metric: its first. */
const firstPreset = ({ presets }: Declared): string => Object.keys(presets)[0] ?? 'custom';

/**
 * All options of a metric: those of the preset (the first by default), replaced by `given`,
 * completed with defaults; and the name of the preset that has exactly these.
 * @throws FoveaError `usage` for an unknown preset or option, or a value out of range.
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

/** The preset that has exactly these options, `wanted` first; `custom` if none has. */
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
    fail(metric, 'the map holds NaN or infinite values');
  if (metric.needs.includes('model')) checkModel(metric, context);
  if (metric.needs.includes('weights')) await checkWeights(metric, context.model);
  if (metric.needs.includes('mask')) checkMask(metric, context);
  if (metric.needs.includes('explain') && !context.explain)
    fail(metric, 'runs the method again and needs `explain` to do so');
  if (metric.needs.includes('codec') && !context.losslessSize)
    fail(metric, 'needs `losslessSize`, the size of a picture as a lossless file');
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
 * Makes sure that the weights of a model can be read and replaced, for a metric that needs them.
 * @throws FoveaError `usage` if there is no model, `unsupported` if its weights are not known.
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

/**
 * The metrics that are registered, by name. Importing `fovea/metrics` registers all of Fovea's.
 */
export const metrics = createRegistry<Metric>('metric');

/** Types of the registered metrics by name. A program that registers its own can add to it. */
// biome-ignore lint/suspicious/noEmptyInterface: filled by metrics/index.ts and by users
export interface MetricMap {}

export type MetricName = keyof MetricMap;

/** What a caller may write as options of a metric, given as an object or by name. */
export type MetricOptions<M> = M extends MetricName
  ? MetricOptions<MetricMap[M]>
  : M extends Metric<infer Input, infer _>
    ? Input
    : never;
