import { type Dataset, type Shard, selectSamples } from '../datasets/index.ts';
import { FoveaError } from '../errors.ts';
import { type Method, type MethodName, type MethodOptions, methods } from '../methods/method.ts';
import {
  type Metric,
  type MetricName,
  type MetricOptions,
  metrics,
  resolveMetricOptions,
} from '../metrics/metric.ts';
import type { Model } from '../model/model.ts';
import { requireWritableFolder } from '../node/write-file.ts';
import { type AnyOptions, parseOptions } from '../options.ts';
import { lockFolder } from './folder-lock.ts';
import type { Evaluation, EvaluationMethod, EvaluationMetric, TargetPolicy } from './records.ts';
import { type ResultFiles, writeResults } from './results.ts';
import { claimFolder, settingsPath } from './resume.ts';
import { type Problem, type RunEvents, runEvaluation } from './run.ts';
import { settingsOf } from './settings.ts';
import { createMemoryStore, openStore, type ScoreStore, scoresPath } from './store.ts';
import { type Summary, summarise } from './summarise.ts';
import { choosePolicy } from './target.ts';

/** A method with options, and the name of its row: one method can have several rows. */
export interface ChosenMethod<M extends Method | MethodName = Method | MethodName> {
  /** A method, or the name of a registered one. */
  readonly method: M;
  /** Options that differ from the defaults. */
  readonly options?: MethodOptions<M>;
  /** The method's own name by default. */
  readonly name?: string;
}

/** A metric with a protocol and options, and the name of its column. */
export interface ChosenMetric<M extends Metric | MetricName = Metric | MetricName> {
  /** A metric, or the name of a registered one. */
  readonly metric: M;
  /** A published protocol; the metric's first by default. */
  readonly preset?: string;
  /** Options that differ from the preset's. */
  readonly options?: MetricOptions<M>;
  /** By default the metric's name, and `NAME:PRESET` if a preset is given. */
  readonly name?: string;
}

/**
 * A row of the table: a method, the name of a registered one, a method with options, or what
 * `prepareMethod` returned.
 */
export type MethodChoice = Method | MethodName | ChosenMethod | EvaluationMethod;

/**
 * A column of the table: a metric, the name of a registered one, a metric with options, or what
 * `prepareMetric` returned.
 */
export type MetricChoice = Metric | MetricName | ChosenMetric | EvaluationMetric;

/** Options without any that the method or metric does not have. */
type Known<Given, Allowed> = Allowed & {
  readonly [Name in Exclude<keyof Given, keyof Allowed>]?: never;
};

type Given<Choice> = Choice extends { readonly options: infer Options } ? Options : unknown;

/** A choice whose options must be those of its method. */
type CheckedMethod<Choice> = Choice extends { readonly method: infer M extends Method | MethodName }
  ? { readonly options?: Known<Given<Choice>, MethodOptions<M>> }
  : unknown;

/** A choice whose options must be those of its metric. */
type CheckedMetric<Choice> = Choice extends { readonly metric: infer M extends Metric | MetricName }
  ? { readonly options?: Known<Given<Choice>, MetricOptions<M>> }
  : unknown;

/** The size of an evaluation, before its first sample. */
export interface EvaluationStart {
  /** Rows and columns of the table. */
  readonly methods: readonly string[];
  readonly metrics: readonly string[];
  /** Pictures of this run; of a part, its own pictures only. */
  readonly pictures: number;
  readonly target: TargetPolicy;
  /** Scores in all, and how many of them exist already. */
  readonly scores: number;
  readonly done: number;
  /** Decisions that the caller left open, one sentence each. */
  readonly notes: readonly string[];
}

/** What `evaluate` takes besides the data set. */
export interface EvaluateOptions<
  Methods extends readonly MethodChoice[] = readonly MethodChoice[],
  Metrics extends readonly MetricChoice[] = readonly MetricChoice[],
> extends RunEvents {
  readonly model: Model;
  /** Methods, names of registered ones, or `{ method, options, name }`. At least one. */
  readonly methods: Methods & { readonly [I in keyof Methods]: CheckedMethod<Methods[I]> };
  /** Metrics, names of registered ones, or `{ metric, preset, options, name }`. At least one. */
  readonly metrics: Metrics & { readonly [I in keyof Metrics]: CheckedMetric<Metrics[I]> };
  /**
   * Which class to explain; `ground-truth` by default, and `predicted` if the labels of the data
   * set cannot be classes of the model.
   */
  readonly target?: TargetPolicy;
  /** Seeds all randomness; 0 by default. */
  readonly seed?: number;
  /** The folder for scores, maps and the report. Without it nothing is written. */
  readonly folder?: string;
  /** Whether to continue with the scores in the folder; false by default. */
  readonly resume?: boolean;
  /**
   * Runs one part of the pictures only. Parts may share a folder and run at the same time. After
   * all of them, a run with `resume` and without `shard` writes the report.
   */
  readonly shard?: Shard;
  /** Number of pictures in the report: those on which the methods disagree most; 12 by default. */
  readonly gallery?: number;
  /**
   * Pictures per session call; by default as many as the memory budget allows. It changes results
   * by rounding errors only.
   */
  readonly batchSize?: number;
  /** Loads a second model by name, if an option of a method names one. */
  readonly loadModel?: (source: string) => Promise<Model>;
  readonly signal?: AbortSignal;
  /** Called once, before the first sample. */
  onStart?(start: EvaluationStart): void;
}

/** The options of an evaluation once their types are checked. */
interface Request extends Omit<EvaluateOptions, 'methods' | 'metrics'> {
  readonly methods: readonly MethodChoice[];
  readonly metrics: readonly MetricChoice[];
}

/** What an evaluation returns. */
export interface EvaluationResult {
  /** Scores, ranks, costs and curves; of a part, those of its pictures. */
  readonly summary: Summary;
  /** The problems that did not end the evaluation. */
  readonly problems: readonly Problem[];
  /** Paths of the files that were written; empty without a folder. A part has no report. */
  readonly files: Partial<ResultFiles> & {
    /** The file of scores in the order in which they were computed, one JSON object per line. */
    readonly records?: string;
    /** The settings that the scores were made with. */
    readonly settings?: string;
  };
}

/** Rows and columns whose options are parsed, so that no options are parsed twice. */
const prepared = new WeakSet<object>();

/**
 * A row of the table, with its options parsed. `evaluate` does the same; a caller that wants to
 * refuse wrong options before it loads a model does it first.
 * @throws FoveaError `usage` for an unknown method or option, or a value out of range.
 */
export function prepareMethod(choice: MethodChoice): EvaluationMethod {
  if (typeof choice === 'object' && prepared.has(choice)) return choice as EvaluationMethod;
  const chosen = (
    typeof choice === 'object' && 'method' in choice ? choice : { method: choice }
  ) as ChosenMethod;
  const method =
    typeof chosen.method === 'object' ? chosen.method : methods.get(String(chosen.method));
  const options = parseOptions(method, chosen.options as AnyOptions | undefined);
  const row = { name: chosen.name ?? method.name, method, options };
  prepared.add(row);
  return row;
}

/**
 * A column of the table, with its options parsed; see `prepareMethod`.
 * @throws FoveaError `usage` for an unknown metric, protocol or option, or a value out of range.
 */
export function prepareMetric(choice: MetricChoice): EvaluationMetric {
  if (typeof choice === 'object' && prepared.has(choice)) return choice as EvaluationMetric;
  const chosen = (
    typeof choice === 'object' && 'metric' in choice ? choice : { metric: choice }
  ) as ChosenMetric;
  const metric =
    typeof chosen.metric === 'object' ? chosen.metric : metrics.get(String(chosen.metric));
  const given = chosen.options as AnyOptions | undefined;
  const resolved = resolveMetricOptions(metric, chosen.preset, given);
  const byDefault = chosen.preset === undefined ? metric.name : `${metric.name}:${chosen.preset}`;
  const column = { key: chosen.name ?? byDefault, metric, ...resolved };
  prepared.add(column);
  return column;
}

function checkNames(kind: string, names: readonly string[]): void {
  if (names.length === 0) throw new FoveaError('usage', `there is no ${kind}: give at least one`);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return;
  throw new FoveaError(
    'usage',
    `two ${kind}s are called "${twice}": give one of them another name, as in { ${kind}, name }`,
  );
}

function checkTruth({ name, provides }: Dataset, chosen: readonly EvaluationMetric[]): void {
  const impossible = chosen.find(
    ({ metric }) => metric.needs.includes('mask') && !provides.includes('mask'),
  );
  if (impossible)
    throw new FoveaError('usage', `${impossible.key} needs masks, but ${name} has none`);
}

/** The samples of this run, and the name of its part. */
function partOf(dataset: Dataset, shard: Shard | undefined): Pick<Evaluation, 'dataset' | 'part'> {
  if (!Number.isFinite(dataset.length)) {
    throw new FoveaError(
      'usage',
      `${dataset.name} is endless: take some of its samples, as in ` +
        'selectSamples(dataset, { limit: 100 })',
    );
  }
  if (dataset.length === 0) throw new FoveaError('usage', `${dataset.name} contains no pictures`);
  if (!shard) return { dataset };
  return {
    dataset: selectSamples(dataset, { shard }),
    part: `${shard.index + 1}-of-${shard.count}`,
  };
}

/**
 * The evaluation of a call, with all options parsed, and notes on decisions that were left open.
 */
function evaluationOf(
  dataset: Dataset,
  options: Request,
): { readonly evaluation: Evaluation; readonly notes: readonly string[] } {
  const chosenMethods = options.methods.map(prepareMethod);
  const chosenMetrics = options.metrics.map(prepareMetric);
  checkNames(
    'method',
    chosenMethods.map(({ name }) => name),
  );
  checkNames(
    'metric',
    chosenMetrics.map(({ key }) => key),
  );
  checkTruth(dataset, chosenMetrics);
  const { model, seed = 0, folder, batchSize, loadModel, signal } = options;
  const { target, note } = choosePolicy(options.target, dataset, model);
  const evaluation = {
    model,
    ...partOf(dataset, options.shard),
    methods: chosenMethods,
    metrics: chosenMetrics,
    target,
    seed,
    folder,
    batchSize,
    loadModel,
    signal,
  };
  return { evaluation, notes: note === undefined ? [] : [note] };
}

function startOf(
  { dataset, methods: rows, metrics: columns, target }: Evaluation,
  store: ScoreStore,
  notes: readonly string[],
): EvaluationStart {
  let done = 0;
  for (let i = 0; i < dataset.length; i++) {
    const item = dataset.idOf(i);
    for (const { name } of rows)
      done += columns.filter(({ key }) => store.has(item, name, key)).length;
  }
  return {
    methods: rows.map(({ name }) => name),
    metrics: columns.map(({ key }) => key),
    pictures: dataset.length,
    target,
    scores: dataset.length * rows.length * columns.length,
    done,
    notes,
  };
}

/** Runs an evaluation with a store, and summarizes the scores. */
async function runOver(
  evaluation: Evaluation,
  store: ScoreStore,
  options: Request,
  notes: readonly string[],
): Promise<EvaluationResult> {
  options.onStart?.(startOf(evaluation, store, notes));
  const problems = await runEvaluation(evaluation, store, options);
  return { summary: summarise(evaluation, store, problems), problems, files: {} };
}

/** Runs an evaluation with the scores of a folder, and writes the results to the folder. */
async function runInFolder(
  evaluation: Evaluation,
  folder: string,
  options: Request,
  notes: readonly string[],
): Promise<EvaluationResult> {
  const { part } = evaluation;
  await requireWritableFolder(folder);
  const release = await lockFolder(folder, part);
  try {
    const isPart = part !== undefined;
    await claimFolder(folder, settingsOf(evaluation), options.resume === true, isPart);
    const store = await openStore(folder, part);
    const result = await runOver(evaluation, store, options, notes);
    const files = { records: scoresPath(folder, part), settings: settingsPath(folder) };
    if (isPart) return { ...result, files };
    options.onProgress?.(1, 'writing the report');
    const { gallery = 12 } = options;
    const written = await writeResults(evaluation, folder, store, result.summary, gallery);
    return { ...result, files: { ...files, ...written } };
  } finally {
    await release();
  }
}

/**
 * Explains every picture of a data set with every method, scores every map with every metric, and
 * summarizes the scores: `evaluate(dataset, { model, methods: [rise], metrics: ['deletion'] })`.
 * With a folder, it writes each score as soon as it is known, and `resume: true` continues an
 * evaluation that was stopped. A picture that cannot be read, or a method that fails on a picture,
 * is reported (`onProblem`), and the evaluation goes on. Control methods (`random`, `centre`) run
 * only if they are among `methods`.
 * @throws FoveaError `usage` for an unknown name, option or preset, for two rows or columns with
 * one name, a metric that needs masks if the data set has none, an endless data set, or a folder
 * that another evaluation writes to or that contains other scores; `output` if a result cannot be
 * written; `cancelled` if the signal fires. Results that were written stay.
 */
export async function evaluate<
  Methods extends readonly MethodChoice[] | [],
  Metrics extends readonly MetricChoice[] | [],
>(dataset: Dataset, options: EvaluateOptions<Methods, Metrics>): Promise<EvaluationResult> {
  const request: Request = options;
  const { evaluation, notes } = evaluationOf(dataset, request);
  const { folder } = evaluation;
  return folder === undefined
    ? runOver(evaluation, createMemoryStore(), request, notes)
    : runInFolder(evaluation, folder, request, notes);
}
