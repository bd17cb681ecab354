import { readSample } from '../datasets/dataset.ts';
import { FoveaError, messageOf, throwIfCancelled } from '../errors.ts';
import { checkWeights } from '../metrics/metric.ts';
import { createWorkMeter, type WorkMeter } from './progress.ts';
import type {
  Evaluation,
  EvaluationMethod,
  EvaluationMetric,
  EvaluationRecord,
} from './records.ts';
import {
  contextOf,
  explainSample,
  mapRecord,
  type PreparedSample,
  prepareSample,
  protocolFor,
  type ScoreContext,
  scoreMap,
} from './score-sample.ts';
import type { ScoreStore } from './store.ts';

/** Something that went wrong and did not end the run. */
export interface Problem {
  /** The sample; undefined for a problem of the data set's index or of a method. */
  readonly item?: string;
  /** The name of the method's row. */
  readonly method?: string;
  /** The key of a metric that cannot score anything on this model. */
  readonly metric?: string;
  readonly message: string;
  /** `left-out`: the sample is fine, but has no class to explain. */
  readonly kind: 'damaged' | 'left-out' | 'failed' | 'index' | 'not-run';
}

/** What a run reports while it goes on. */
export interface RunEvents {
  onProblem?(problem: Problem, error?: unknown): void;
  onRecord?(record: EvaluationRecord): void;
  /** Called with the share of the estimated time that has passed, 0 … 1, and the current step. */
  onProgress?(share: number, what: string): void;
  /**
   * Called once, after the first sample: the model calls of one sample, the number of samples that
   * this run does (the first included), and the estimated time for the rest.
   */
  onEstimate?(estimate: {
    readonly modelCalls: number;
    readonly samples: number;
    readonly secondsLeft: number;
  }): void;
}

interface Run {
  readonly evaluation: Evaluation;
  readonly store: ScoreStore;
  readonly events: RunEvents;
  readonly work: WorkMeter;
  /**
   * Names of methods that the model cannot run, and keys of metrics that need something the model
   * does not have.
   */
  readonly dropped: { readonly methods: Set<string>; readonly metrics: Set<string> };
  readonly problems: Problem[];
}

const seconds = (since: number): number => Math.round(performance.now() - since) / 1000;
const mapKind = (method: string): string => `map ${method}`;
const scoreKind = (method: string, metric: string): string => `score ${method} ${metric}`;
const kindsOf = ({ metrics }: Evaluation, method: string): string[] => [
  mapKind(method),
  ...metrics.map(({ key }) => scoreKind(method, key)),
];

function report(run: Run, problem: Problem, error?: unknown): void {
  run.problems.push(problem);
  run.events.onProblem?.(problem, error);
}

const codeOf = (error: unknown): string => (error instanceof FoveaError ? error.code : 'internal');

/**
 * Whether an error ends the run: an interruption, or a result that cannot be written. Any other
 * error, a bug in Fovea included, costs one map only.
 */
const endsRun = (error: unknown): boolean => ['cancelled', 'output'].includes(codeOf(error));

const reasonOf = (error: unknown): string =>
  error instanceof FoveaError ? error.message : `internal: ${messageOf(error)}`;

async function add(run: Run, record: EvaluationRecord): Promise<void> {
  await run.store.append(record);
  run.events.onRecord?.(record);
}

/** Takes a metric that cannot work with this model out of the run, and reports that. */
function dropMetric(run: Run, key: string, error: unknown): void {
  run.dropped.metrics.add(key);
  for (const { name } of run.evaluation.methods)
    run.work.drop(scoreKind(name, key), Number.POSITIVE_INFINITY);
  report(run, { kind: 'not-run', metric: key, message: messageOf(error) }, error);
}

/** Takes a method that this model cannot run out of the run, and reports that. */
function dropMethod(run: Run, name: string, error: unknown): void {
  run.dropped.methods.add(name);
  for (const kind of kindsOf(run.evaluation, name)) run.work.drop(kind, Number.POSITIVE_INFINITY);
  report(run, { kind: 'not-run', method: name, message: messageOf(error) }, error);
}

/** The metrics that have not scored a map yet. */
function metricsLeft(run: Run, item: string, method: string): EvaluationMetric[] {
  const { evaluation, store, dropped } = run;
  return evaluation.metrics.filter(
    ({ key }) => !dropped.metrics.has(key) && !store.has(item, method, key),
  );
}

const isDone = (run: Run, item: string, method: string): boolean =>
  run.dropped.methods.has(method) ||
  (run.store.has(item, method) && metricsLeft(run, item, method).length === 0);

async function addScore(
  run: Run,
  metric: EvaluationMetric,
  each: EvaluationMethod,
  item: string,
  context: ScoreContext,
): Promise<void> {
  const kind = scoreKind(each.name, metric.key);
  try {
    const record = await scoreMap(run.evaluation, metric, each, item, context);
    await add(run, record);
    run.work.finish(kind, record.seconds);
  } catch (error) {
    if (endsRun(error)) throw error;
    run.work.finish(kind);
    if (codeOf(error) === 'unsupported') return dropMetric(run, metric.key, error);
    const message = `${item}, ${each.name}, ${metric.key}: ${reasonOf(error)}`;
    report(run, { kind: 'failed', item, method: each.name, message }, error);
  }
}

/** One method on one sample: the map, and all its scores. */
async function runMethodOn(
  run: Run,
  each: EvaluationMethod,
  prepared: PreparedSample,
  what: string,
): Promise<void> {
  const { store, evaluation, events, work } = run;
  const { name } = each;
  const item = prepared.sample.id;
  const started = performance.now();
  const { key, explanation } = await explainSample(evaluation, each, prepared);
  if (!store.has(item, name)) {
    await add(run, mapRecord(prepared, name, key, explanation));
    work.finish(mapKind(name), seconds(started));
  }
  const context = contextOf(evaluation, each, prepared, explanation);
  for (const metric of metricsLeft(run, item, name)) {
    events.onProgress?.(work.share(), `${what} · ${name} · ${metric.key}`);
    await addScore(run, metric, each, item, context);
  }
}

/** All methods on one sample. */
async function runSample(run: Run, prepared: PreparedSample, what: string): Promise<void> {
  const { evaluation, events, work } = run;
  const item = prepared.sample.id;
  for (const each of evaluation.methods) {
    const { name } = each;
    if (isDone(run, item, name)) continue;
    events.onProgress?.(work.share(), `${what} · ${name}`);
    try {
      await runMethodOn(run, each, prepared, what);
    } catch (error) {
      if (endsRun(error)) throw error;
      if (codeOf(error) === 'unsupported') {
        dropMethod(run, name, error);
        continue;
      }
      const message = `${item}, ${name}: ${reasonOf(error)}`;
      report(run, { kind: 'failed', item, method: name, message }, error);
      for (const kind of kindsOf(evaluation, name)) work.drop(kind, 1);
    }
  }
}

/**
 * The steps that are left to do, by their kind. A score that needs no computation because the
 * metric does not apply to the method is not counted.
 */
function countSteps(evaluation: Evaluation, store: ScoreStore): Map<string, number> {
  const { dataset, methods, metrics } = evaluation;
  const counts = new Map<string, number>();
  const count = (kind: string, isThere: boolean) =>
    counts.set(kind, (counts.get(kind) ?? 0) + (isThere ? 0 : 1));
  for (const each of methods) {
    const applying = metrics.filter((metric) => !('reason' in protocolFor(metric, each)));
    for (let i = 0; i < dataset.length; i++) {
      const item = dataset.idOf(i);
      count(mapKind(each.name), store.has(item, each.name));
      for (const { key } of applying)
        count(scoreKind(each.name, key), store.has(item, each.name, key));
    }
  }
  return counts;
}

/** Reads, prepares and runs sample `index`. Returns false if it is passed over. */
async function runIndex(run: Run, index: number, what: string): Promise<boolean> {
  const { evaluation } = run;
  const id = evaluation.dataset.idOf(index);
  const passOver = (kind: Problem['kind'], message: string, error?: unknown): false => {
    report(run, { kind, item: id, message }, error);
    return false;
  };
  try {
    const sample = await readSample(evaluation.dataset, index);
    if (sample instanceof FoveaError) {
      const { message } = sample;
      return passOver('damaged', message.includes(id) ? message : `${id}: ${message}`, sample);
    }
    const prepared = await prepareSample(evaluation, sample);
    if (typeof prepared === 'string') return passOver('left-out', `${id} is left out: ${prepared}`);
    await runSample(run, prepared, what);
    return true;
  } catch (error) {
    if (endsRun(error)) throw error;
    return passOver('failed', `${id}: ${reasonOf(error)}`, error);
  }
}

/** Model calls of one sample with all methods and metrics of the evaluation. */
function callsOf({ evaluation, store }: Run, item: string): number {
  const records = evaluation.methods.flatMap(({ name }) => [
    store.map(item, name),
    ...evaluation.metrics.map(({ key }) => store.score(item, name, key)),
  ]);
  return records.reduce(
    (sum, record) => sum + (record?.modelCalls.forward ?? 0) + (record?.modelCalls.backward ?? 0),
    0,
  );
}

/** Drops the metrics that need the weights of the model, if the model does not expose them. */
async function dropImpossible(run: Run): Promise<void> {
  const { metrics, model } = run.evaluation;
  for (const { key, metric } of metrics) {
    if (!metric.needs.includes('weights')) continue;
    try {
      await checkWeights(metric, model);
    } catch (error) {
      dropMetric(run, key, error);
    }
  }
}

/** Runs every sample that has work left, and reports the estimate after the first. */
async function runSamples(run: Run): Promise<void> {
  const { evaluation, events, work } = run;
  const { dataset, methods, signal } = evaluation;
  const indices = Array.from({ length: dataset.length }, (_, i) => i).filter((i) =>
    methods.some(({ name }) => !isDone(run, dataset.idOf(i), name)),
  );
  let samples = indices.length;
  let estimated = false;
  for (const index of indices) {
    throwIfCancelled(signal);
    const id = dataset.idOf(index);
    if (methods.every(({ name }) => isDone(run, id, name))) continue;
    if (!(await runIndex(run, index, `${index + 1}/${dataset.length}`))) {
      samples--;
      for (const { name } of methods)
        for (const kind of kindsOf(evaluation, name)) work.drop(kind, 1);
    } else if (!estimated) {
      estimated = true;
      const modelCalls = callsOf(run, id);
      events.onEstimate?.({ modelCalls, samples, secondsLeft: work.secondsLeft() });
    }
  }
}

/**
 * Explains every sample with every method, scores every map, and appends each score to the store as
 * soon as it is known. Results that the store has are not computed again. A sample that cannot be
 * read, or a method that fails on a sample, is reported, and the run goes on. Returns all problems.
 * @throws FoveaError `cancelled` if the signal fires, `output` if a result cannot be written.
 * Results that were written stay.
 */
export async function runEvaluation(
  evaluation: Evaluation,
  store: ScoreStore,
  events: RunEvents = {},
): Promise<Problem[]> {
  const run: Run = {
    evaluation,
    store,
    events,
    work: createWorkMeter(countSteps(evaluation, store)),
    dropped: { methods: new Set(), metrics: new Set() },
    problems: [],
  };
  for (const message of evaluation.dataset.problems) report(run, { kind: 'index', message });
  await dropImpossible(run);
  await runSamples(run);
  return run.problems;
}
