import { join } from 'node:path';
import { readSample, type Sample } from '../datasets/dataset.ts';
import { FoveaError, messageOf, throwIfCancelled } from '../errors.ts';
import { explainAll, type PreparedInput, prepareInput } from '../explain.ts';
import {
  activatedPixels,
  type ExplainChanges,
  type MetricContext,
  pixelOrder,
} from '../metrics/index.ts';
import { fitMask } from '../model/input/preprocessing.ts';
import { createMeter } from '../model/meter.ts';
import type { Model } from '../model/model.ts';
import { resolveTargets, type Target } from '../model/target.ts';
import { losslessWebpSize } from '../node/write-image.ts';
import { parseOptions } from '../options.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type CachedExplanation, cacheKey, readCached, writeCached } from './cache.ts';
import { createWorkMeter, type WorkMeter } from './progress.ts';
import type {
  Benchmark,
  BenchmarkMethod,
  BenchmarkMetric,
  BenchmarkRecord,
  MapRecord,
  ScoreRecord,
} from './records.ts';
import { metricSettings } from './settings.ts';
import { sketchOf } from './sketch.ts';
import type { ScoreStore } from './store.ts';

/** Something that went wrong and did not end the run. */
export interface Problem {
  /** The sample; none for what is wrong with the data set's index or a method as a whole. */
  readonly item?: string;
  readonly method?: string;
  /** The key of a metric that could not be scored at all. */
  readonly metric?: string;
  readonly message: string;
  /** `left-out`: the sample is fine, but has no class to explain. */
  readonly kind: 'damaged' | 'left-out' | 'failed' | 'index' | 'not-run';
}

/** What a run tells while it goes on. */
export interface RunEvents {
  onProblem?(problem: Problem, error?: unknown): void;
  onRecord?(record: BenchmarkRecord): void;
  onProgress?(share: number, what: string): void;
  /**
   * Once, after the first sample: what one costs, how many there are but for those passed over, and
   * how long the rest will take.
   */
  onEstimate?(estimate: {
    readonly modelCalls: number;
    readonly samples: number;
    readonly secondsLeft: number;
  }): void;
}

/** The folder of the cache of maps within the folder of results. */
export const cacheFolder = (folder: string): string => join(folder, 'explanations');

interface Run {
  readonly benchmark: Benchmark;
  readonly store: ScoreStore;
  readonly events: RunEvents;
  readonly work: WorkMeter;
  /** Methods that the model cannot run, and metrics that it cannot answer. */
  readonly dropped: Set<string>;
  readonly problems: Problem[];
}

/** A sample as the model sees it. */
interface Prepared {
  readonly sample: Sample;
  readonly input: PreparedInput;
  readonly target: Target;
  readonly truth: Pick<MetricContext, 'mask' | 'void'>;
}

/** Why a metric of masks has no score of a picture without one. */
export const NO_MASK = 'the picture has no mask';

const seconds = (since: number): number => Math.round(performance.now() - since) / 1000;
const mapKind = (method: string): string => `map ${method}`;
const scoreKind = (method: string, metric: string): string => `score ${method} ${metric}`;
const kindsOf = ({ metrics }: Benchmark, method: string): string[] => [
  mapKind(method),
  ...metrics.map(({ key }) => scoreKind(method, key)),
];

function report(run: Run, problem: Problem, error?: unknown): void {
  run.problems.push(problem);
  run.events.onProblem?.(problem, error);
}

const codeOf = (error: unknown): string => (error instanceof FoveaError ? error.code : 'internal');

/**
 * Errors that end the run: interruption, and results that cannot be written. Even a bug of ours
 * costs one map and not the rest.
 */
const endsRun = (error: unknown): boolean => ['cancelled', 'output'].includes(codeOf(error));

const reasonOf = (error: unknown): string =>
  error instanceof FoveaError ? error.message : `internal: ${messageOf(error)}`;

/** The class to explain, or why there is none. */
function chooseTarget(
  { model, target }: Benchmark,
  sample: Sample,
  { probabilities }: PreparedInput,
): Target | string {
  const [likeliest] = resolveTargets(model, probabilities, 'top1');
  if (target === 'predicted') return likeliest;
  const truth = trueTarget(model, sample, probabilities);
  if (target === 'ground-truth' || typeof truth === 'string' || truth.index === likeliest.index)
    return truth;
  return `the model takes the ${sample.label?.name} for ${likeliest.label}`;
}

/** The class that the sample's label means, or why there is none. */
function trueTarget(model: Model, { label }: Sample, probabilities: Float32Array): Target | string {
  if (!label) return 'it has no label';
  if (!label.indices) {
    try {
      return resolveTargets(model, probabilities, { class: label.name })[0];
    } catch (error) {
      return messageOf(error);
    }
  }
  const known = label.indices.filter((index) => index < probabilities.length);
  if (known.length === 0) {
    return label.indices.length === 0
      ? `no class of the model is a ${label.name}`
      : `class ${label.indices[0]} is none of the ${probabilities.length} of ${model.name}`;
  }
  const index = known.reduce((best, each) =>
    probabilities[each] > probabilities[best] ? each : best,
  );
  return { index, label: model.labels[index], probability: probabilities[index] };
}

async function prepare({ benchmark }: Run, sample: Sample): Promise<Prepared | string> {
  const { model, signal } = benchmark;
  const input = await prepareInput(model, sample.image, signal);
  const target = chooseTarget(benchmark, sample, input);
  if (typeof target === 'string') return target;
  const truth = {
    ...(sample.mask && { mask: fitMask(sample.mask, model.preprocessing) }),
    ...(sample.void && { void: fitMask(sample.void, model.preprocessing) }),
  };
  return { sample, input, target, truth };
}

/** The map of a method: from the cache, or made and put there. */
async function explainSample(
  { benchmark }: Run,
  { method, options }: BenchmarkMethod,
  { sample, input, target }: Prepared,
) {
  const { model, seed, batchSize, signal, loadModel, folder } = benchmark;
  const key = await cacheKey({
    model,
    prepared: input,
    target: target.index,
    method,
    options,
    seed,
  });
  const cached = await readCached(cacheFolder(folder), key);
  if (cached) return { key, explanation: cached };
  const request = {
    method,
    options,
    target: target.index,
    seed,
    batchSize,
    signal,
    loadModel,
    imageName: sample.id,
  };
  const [explanation] = await explainAll(model, input, request);
  await writeCached(cacheFolder(folder), key, explanation);
  return { key, explanation };
}

function mapRecord(
  { sample }: Prepared,
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

/** Curves are for charts: five digits of each point do. */
const short = (values: readonly number[]): number[] =>
  values.map((value) => Number(value.toPrecision(5)));

type ScoreContext = Omit<MetricContext, 'preset' | 'options'>;

/**
 * Everything that a metric may ask about a map. Perturbation metrics share the order of its pixels.
 */
function contextOf(
  { benchmark }: Run,
  { method, options }: BenchmarkMethod,
  { input, target, truth }: Prepared,
  explanation: CachedExplanation,
): ScoreContext {
  const { model, seed, batchSize, signal, loadModel } = benchmark;
  return {
    map: explanation.map,
    model,
    input: input.input,
    target,
    ...truth,
    order: pixelOrder(explanation.map.data),
    shared: new Map(),
    explain: async (changes) => {
      const changed = changes.input ? { ...input, input: changes.input, image: undefined } : input;
      const request = {
        method,
        options,
        target: (changes.target ?? target).index,
        seed,
        batchSize,
        signal,
        loadModel,
      };
      return (await explainAll(changes.model ?? model, changed, request))[0].map;
    },
    losslessSize: losslessWebpSize,
    seed,
    batchSize,
    signal,
  };
}

/** What a map's sum is held against is the method's to say. */
function optionsFor(
  { metric, options }: BenchmarkMetric,
  each: BenchmarkMethod,
): Readonly<Record<string, unknown>> | undefined {
  if (metric.name !== 'completeness') return options;
  const promise = each.method.completeness?.(parseOptions(each.method, each.options));
  return promise && { ...options, ...promise };
}

async function scoreMap(
  run: Run,
  wanted: BenchmarkMetric,
  each: BenchmarkMethod,
  item: string,
  context: ScoreContext,
): Promise<ScoreRecord> {
  const { key, metric, preset } = wanted;
  const { model, signal } = run.benchmark;
  const meter = createMeter(signal);
  const started = performance.now();
  const base = { kind: 'score', item, method: each.method.name, metric: key } as const;
  const without = (reason: string): ScoreRecord => {
    const none = { value: null, reason, ...metricSettings(wanted) };
    return { ...base, ...none, modelCalls: meter.calls(), seconds: 0 };
  };
  if (metric.needs.includes('mask') && !context.mask) return without(NO_MASK);
  const options = optionsFor(wanted, each);
  if (!options) return without('the method does not promise completeness');
  const metered = meter.wrap(model);
  const explain =
    context.explain &&
    ((changes: ExplainChanges) =>
      context.explain?.({ model: metered, ...changes }) as Promise<Tensor>);
  const { curve, ...score } = await metric.score({
    ...context,
    model: metered,
    explain,
    preset,
    options,
  });
  const points = curve && { curve: { x: short(curve.x), y: short(curve.y) } };
  return { ...base, ...score, ...points, modelCalls: meter.calls(), seconds: seconds(started) };
}

async function add(run: Run, record: BenchmarkRecord): Promise<void> {
  await run.store.append(record);
  run.events.onRecord?.(record);
}

/** One method on one sample: the map, and all its scores. */
async function runMethod(
  run: Run,
  each: BenchmarkMethod,
  prepared: Prepared,
  what: string,
): Promise<void> {
  const { store, benchmark, events, work, dropped } = run;
  const { name } = each.method;
  const item = prepared.sample.id;
  const started = performance.now();
  const { key, explanation } = await explainSample(run, each, prepared);
  if (!store.has(item, name)) {
    await add(run, mapRecord(prepared, name, key, explanation));
    work.finish(mapKind(name), seconds(started));
  }
  const context = contextOf(run, each, prepared, explanation);
  const isLeft = ({ key: metricKey }: BenchmarkMetric) =>
    !store.has(item, name, metricKey) && !dropped.has(metricKey);
  for (const metric of benchmark.metrics.filter(isLeft)) {
    events.onProgress?.(work.share(), `${what} · ${name} · ${metric.key}`);
    try {
      const record = await scoreMap(run, metric, each, item, context);
      await add(run, record);
      work.finish(scoreKind(name, metric.key), record.seconds);
    } catch (error) {
      if (endsRun(error)) throw error;
      work.finish(scoreKind(name, metric.key));
      if (codeOf(error) === 'unsupported') dropMetric(run, metric.key, error);
      else
        report(
          run,
          {
            kind: 'failed',
            item,
            method: name,
            message: `${item}, ${name}, ${metric.key}: ${reasonOf(error)}`,
          },
          error,
        );
    }
  }
}

/** A metric that this model cannot answer is not tried again. */
function dropMetric(run: Run, key: string, error: unknown): void {
  run.dropped.add(key);
  for (const { method } of run.benchmark.methods)
    run.work.drop(scoreKind(method.name, key), Number.POSITIVE_INFINITY);
  report(run, { kind: 'not-run', metric: key, message: messageOf(error) }, error);
}

const isDone = ({ benchmark, store, dropped }: Run, item: string, method: string): boolean =>
  store.has(item, method) &&
  benchmark.metrics.every(({ key }) => store.has(item, method, key) || dropped.has(key));

/** All methods on one sample. A method that the model cannot run is not tried again. */
async function runSample(run: Run, prepared: Prepared, what: string): Promise<void> {
  const { benchmark, events, work, dropped } = run;
  const item = prepared.sample.id;
  for (const each of benchmark.methods) {
    const { name } = each.method;
    if (dropped.has(name) || isDone(run, item, name)) continue;
    events.onProgress?.(work.share(), `${what} · ${name}`);
    try {
      await runMethod(run, each, prepared, what);
    } catch (error) {
      if (endsRun(error)) throw error;
      const isUnable = codeOf(error) === 'unsupported';
      if (isUnable) dropped.add(name);
      const message = isUnable ? messageOf(error) : `${item}, ${name}: ${reasonOf(error)}`;
      report(
        run,
        {
          kind: isUnable ? 'not-run' : 'failed',
          ...(isUnable ? {} : { item }),
          method: name,
          message,
        },
        error,
      );
      for (const kind of kindsOf(benchmark, name)) work.drop(kind, isUnable ? Infinity : 1);
    }
  }
}

/** Steps that are left to do, by their kind. */
function countSteps(
  { dataset, methods, metrics }: Benchmark,
  store: ScoreStore,
): Map<string, number> {
  const counts = new Map<string, number>();
  const count = (kind: string, isThere: boolean) =>
    counts.set(kind, (counts.get(kind) ?? 0) + (isThere ? 0 : 1));
  for (let i = 0; i < dataset.length; i++) {
    const item = dataset.idOf(i);
    for (const { method } of methods) {
      count(mapKind(method.name), store.has(item, method.name));
      for (const { key } of metrics)
        count(scoreKind(method.name, key), store.has(item, method.name, key));
    }
  }
  return counts;
}

async function runIndex(run: Run, index: number, what: string): Promise<boolean> {
  const { dataset } = run.benchmark;
  const id = dataset.idOf(index);
  const fail = (error: unknown): undefined => {
    if (endsRun(error)) throw error;
    report(run, { kind: 'failed', item: id, message: `${id}: ${reasonOf(error)}` }, error);
  };
  const sample = await readSample(dataset, index).catch(fail);
  if (sample === undefined) return false;
  if (sample instanceof FoveaError) {
    report(
      run,
      {
        kind: 'damaged',
        item: id,
        message: sample.message.includes(id) ? sample.message : `${id}: ${sample.message}`,
      },
      sample,
    );
    return false;
  }
  const prepared = await prepare(run, sample).catch(fail);
  if (prepared === undefined) return false;
  if (typeof prepared === 'string') {
    report(run, { kind: 'left-out', item: id, message: `${id} is left out: ${prepared}` });
    return false;
  }
  await runSample(run, prepared, what);
  return true;
}

/** Model calls of one sample with all methods and metrics. */
function callsOf({ store }: Run, item: string): number {
  const records = [...store.maps(), ...store.scores()].filter((record) => record.item === item);
  return records.reduce((sum, { modelCalls }) => sum + modelCalls.forward + modelCalls.backward, 0);
}

/**
 * Explains every sample with every method and scores every map, appending each score to the store
 * as it comes. What the store has is not done again. A sample that cannot be read and a method that
 * fails on it are reported and counted, and the rest goes on. Answers what went wrong.
 * @throws FoveaError `cancelled` if the signal fires, `output` if a result cannot be written; what
 * is done stays done.
 */
export async function runBenchmark(
  benchmark: Benchmark,
  store: ScoreStore,
  events: RunEvents = {},
): Promise<Problem[]> {
  const run: Run = {
    benchmark,
    store,
    events,
    work: createWorkMeter(countSteps(benchmark, store)),
    dropped: new Set(),
    problems: [],
  };
  const { dataset, methods, signal } = benchmark;
  for (const message of dataset.problems) report(run, { kind: 'index', message });
  let estimated = false;
  let samples = dataset.length;
  for (let index = 0; index < dataset.length; index++) {
    throwIfCancelled(signal);
    const id = dataset.idOf(index);
    if (methods.every(({ method }) => isDone(run, id, method.name))) continue;
    if (!(await runIndex(run, index, `${index + 1}/${dataset.length}`))) {
      samples--;
      for (const { method } of methods)
        for (const kind of kindsOf(benchmark, method.name)) run.work.drop(kind, 1);
    } else if (!estimated) {
      estimated = true;
      events.onEstimate?.({
        modelCalls: callsOf(run, id),
        samples,
        secondsLeft: run.work.secondsLeft(),
      });
    }
  }
  return run.problems;
}
