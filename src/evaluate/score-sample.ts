import type { Sample } from '../datasets/dataset.ts';
import { FoveaError } from '../errors.ts';
import { runMethod } from '../explain.ts';
import {
  activatedPixels,
  type ExplainChanges,
  type MetricContext,
  pixelOrder,
  presetOf,
} from '../metrics/index.ts';
import { fitMask } from '../model/input/preprocessing.ts';
import { createMeter } from '../model/meter.ts';
import type { Target } from '../model/target.ts';
import { losslessWebpSize } from '../node/write-image.ts';
import type { AnyOptions } from '../options.ts';
import { type PreparedInput, prepareInput } from '../prepare-input.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type CachedExplanation, cacheFolder, cacheKey, readCached, writeCached } from './cache.ts';
import type {
  Evaluation,
  EvaluationMethod,
  EvaluationMetric,
  MapRecord,
  ScoreRecord,
} from './records.ts';
import { sketchOf } from './sketch.ts';
import { chooseTarget } from './target.ts';

/** A sample as the model sees it. */
export interface PreparedSample {
  readonly sample: Sample;
  readonly input: PreparedInput;
  readonly target: Target;
  readonly truth: Pick<MetricContext, 'mask' | 'void'>;
}

/** The reason for a missing score if the metric needs a mask and the picture has none. */
export const NO_MASK = 'the picture has no mask';

/**
 * Prepares a sample: its class, and its masks at the size of the input. Returns the reason as text
 * if there is no class to explain.
 */
export async function prepareSample(
  evaluation: Evaluation,
  sample: Sample,
): Promise<PreparedSample | string> {
  const { model, signal } = evaluation;
  const input = await prepareInput(model, sample.image, signal);
  const target = chooseTarget(evaluation, sample, input);
  if (typeof target === 'string') return target;
  const truth = {
    ...(sample.mask && { mask: fitMask(sample.mask, model.preprocessing) }),
    ...(sample.void && { void: fitMask(sample.void, model.preprocessing) }),
  };
  return { sample, input, target, truth };
}

/**
 * The map of a method for one sample, with its key: from the cache, or computed and then cached.
 */
export async function explainSample(
  evaluation: Evaluation,
  run: EvaluationMethod,
  { sample, input, target }: PreparedSample,
): Promise<{ readonly key: string; readonly explanation: CachedExplanation }> {
  const { model, seed, batchSize, signal, loadModel } = evaluation;
  const folder = cacheFolder(evaluation.folder);
  const key = await cacheKey({ model, prepared: input, target: target.index, run, seed });
  const cached = await readCached(folder, key);
  if (cached) return { key, explanation: cached };
  const request = { target: target.index, seed, batchSize, signal, loadModel };
  const [explanation] = await runMethod(model, input, run, { ...request, imageName: sample.id });
  if (!explanation) throw new FoveaError('internal', `${run.name} returned no map`);
  await writeCached(folder, key, explanation);
  return { key, explanation };
}

/** The line of the file of scores for a map. */
export function mapRecord(
  { sample }: PreparedSample,
  method: string,
  key: string,
  { map, target, manifest, seconds }: CachedExplanation,
): MapRecord {
  return {
    kind: 'map',
    item: sample.id,
    method,
    target,
    ...(sample.label && { label: sample.label.name }),
    cache: key,
    modelCalls: manifest.modelCalls,
    seconds: Math.round(1000 * seconds) / 1000,
    activatedPixels: activatedPixels(map.data),
    sketch: sketchOf(map),
  };
}

/** What a metric can read about one map. */
export type ScoreContext = Omit<MetricContext, 'preset' | 'options'>;

/**
 * Everything that a metric can read about a map. Perturbation metrics share the order of its
 * pixels.
 */
export function contextOf(
  evaluation: Evaluation,
  run: EvaluationMethod,
  { input, target, truth }: PreparedSample,
  { map }: CachedExplanation,
): ScoreContext {
  const { model, seed, batchSize, signal, loadModel } = evaluation;
  const explain = async (changes: ExplainChanges): Promise<Tensor> => {
    const changed = changes.input ? { ...input, input: changes.input, image: undefined } : input;
    const { index } = changes.target ?? target;
    const request = { target: index, seed, batchSize, signal, loadModel };
    const [again] = await runMethod(changes.model ?? model, changed, run, request);
    if (!again) throw new FoveaError('internal', `${run.name} returned no map`);
    return again.map;
  };
  return {
    map,
    model,
    input: input.input,
    target,
    ...truth,
    order: pixelOrder(map.data),
    shared: new Map(),
    explain,
    losslessSize: losslessWebpSize,
    seed,
    batchSize,
    signal,
  };
}

/** The context of a metric, with its model calls counted. */
function metered(evaluation: Evaluation, context: ScoreContext) {
  const meter = createMeter(evaluation.signal);
  const model = meter.wrap(evaluation.model);
  const { explain } = context;
  return {
    calls: meter.calls,
    context: {
      ...context,
      model,
      ...(explain && {
        explain: (changes: ExplainChanges) => explain({ model, ...changes }),
      }),
    },
  };
}

/** Rounds the points of a curve to five significant digits, which are enough for a chart. */
const short = (values: readonly number[]): number[] =>
  values.map((value) => Number(value.toPrecision(5)));

/** The protocol by which a metric scores the maps of a method, or the reason if it cannot. */
export function protocolFor(
  { metric, preset, options }: EvaluationMetric,
  { method, options: own }: EvaluationMethod,
): { readonly preset: string; readonly options: AnyOptions } | { readonly reason: string } {
  const found = metric.optionsFrom?.({ method, options: own });
  if (!found) return { preset, options };
  if ('reason' in found) return found;
  const all = { ...options, ...found.options };
  return { preset: presetOf(metric, all, preset), options: all };
}

/**
 * Scores a map by one metric. The record has no value, but a reason, if the metric needs a mask and
 * the picture has none, or if the metric does not apply to the method.
 * @throws FoveaError as the metric does; `internal` for a value that is not finite.
 */
export async function scoreMap(
  evaluation: Evaluation,
  wanted: EvaluationMetric,
  run: EvaluationMethod,
  item: string,
  given: ScoreContext,
): Promise<ScoreRecord> {
  const { key, metric } = wanted;
  const { calls, context } = metered(evaluation, given);
  const started = performance.now();
  const base = { kind: 'score', item, method: run.name, metric: key } as const;
  const without = (reason: string): ScoreRecord => {
    const { preset, options } = wanted;
    const none = { value: null, reason, preset, options: options as ScoreRecord['options'] };
    return { ...base, ...none, modelCalls: calls(), seconds: 0 };
  };
  if (metric.needs.includes('mask') && !given.mask) return without(NO_MASK);
  const protocol = protocolFor(wanted, run);
  if ('reason' in protocol) return without(protocol.reason);
  const { preset, options } = protocol;
  const { curve, ...score } = await metric.scoreWith(options, context);
  if (score.value !== null && !Number.isFinite(score.value))
    throw new FoveaError(
      'usage',
      `the metric ${metric.name} returned ${score.value}: expected a finite number, or null`,
    );
  const seconds = Math.round(performance.now() - started) / 1000;
  return {
    ...base,
    ...score,
    preset,
    options: options as ScoreRecord['options'],
    ...(curve && { curve: { x: short(curve.x), y: short(curve.y) } }),
    modelCalls: calls(),
    seconds,
  };
}
