import { join } from 'node:path';
import {
  type Dataset,
  openDataset,
  parseShard,
  type Selection,
  type Shard,
  selectSamples,
} from '../../datasets/index.ts';
import { FoveaError } from '../../errors.ts';
import {
  type Benchmark,
  type BenchmarkMetric,
  type BenchmarkRecord,
  claimFolder,
  formatScore,
  methodOrder,
  NO_MASK,
  openStore,
  type Problem,
  runBenchmark,
  type ScoreStore,
  type Summary,
  settingsOf,
  type TargetPolicy,
  writeResults,
} from '../../evaluate/index.ts';
import { methods } from '../../methods/index.ts';
import type { Model } from '../../model/model.ts';
import { requireWritableFolder } from '../../node/write-file.ts';
import { allMetrics, requestMetrics } from '../metric-options.ts';
import { requestMethods, settingsFor, splitSettings } from '../options.ts';
import {
  BROKEN_OUTPUT,
  createOutput,
  describeError,
  EXIT,
  formatCount,
  formatTable,
  type Output,
} from '../output.ts';
import { type LoadedModel, type ModelFlags, openModel } from '../session.ts';

/** The options of `fovea evaluate`. */
export interface EvaluateFlags extends ModelFlags {
  readonly dataset?: string;
  /** Settings of the data set, KEY=VALUE. */
  readonly data?: readonly string[];
  readonly pics?: string;
  /** Stands in the report below the protocol of the data set. */
  readonly protocol?: readonly string[];
  readonly images?: string;
  /** IASSA, RISE, IIA and Grad-CAM if not given. */
  readonly methods?: readonly string[];
  /** Those of IASSA's Table 1, as far as the data set has what they need, if not given. */
  readonly metrics?: readonly string[];
  /** Ground truth if there are labels, otherwise predicted, if not given. */
  readonly classes?: TargetPolicy;
  readonly set?: readonly string[];
  readonly seed: number;
  readonly limit?: number;
  readonly seededSample?: number;
  readonly shard?: string;
  readonly resume?: boolean;
  readonly gallery: number;
  readonly out: string;
  readonly batchSize?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Always run: what a map scores that looks at nothing. */
const CONTROLS = ['random', 'centre'];

const DEFAULT_METHODS = ['iassa', 'rise', 'iia', 'grad-cam'];

const DEFAULT_METRICS = ['deletion', 'insertion', 'f1', 'iou', 'pointing-game'];

async function openFlagged(flags: EvaluateFlags): Promise<Dataset> {
  if (flags.dataset !== undefined && flags.pics !== undefined)
    throw new FoveaError('usage', 'give either --dataset or --pics, not both');
  const spec = flags.pics === undefined ? flags.dataset : `pics-list:${flags.pics}`;
  if (spec === undefined)
    throw new FoveaError(
      'usage',
      'there is no data set: give --dataset KIND:PATH, as in --dataset objects:data/, or --pics FILE',
    );
  const images = flags.images === undefined ? {} : { images: flags.images };
  const dataset = await openDataset(spec, { ...splitSettings('--data', flags.data), ...images });
  if (dataset.length === 0) {
    const why = dataset.problems.length > 0 ? `: ${dataset.problems[0]}` : '';
    throw new FoveaError('usage', `${dataset.name} holds no pictures${why}`);
  }
  return { ...dataset, protocol: [...dataset.protocol, ...(flags.protocol ?? [])] };
}

function selectionOf(
  { limit, seededSample, seed }: EvaluateFlags,
  shard: Shard | undefined,
): Selection {
  return {
    limit,
    shard,
    ...(seededSample !== undefined && { sample: { count: seededSample, seed } }),
  };
}

/** Why the labels of a data set cannot be classes of a model; undefined if they can. */
function labelProblem({ name, provides, classes }: Dataset, model: Model): string | undefined {
  if (!provides.includes('label')) return `${name} has no labels`;
  if (classes === 'imagenet' && model.labels.length !== 1000)
    return `the labels of ${name} are ImageNet's 1,000 classes, ${model.name} has ${formatCount(model.labels.length)}`;
  return undefined;
}

/** The target policy: as asked for, or ground truth where that is possible. */
function targetOf(
  wanted: TargetPolicy | undefined,
  dataset: Dataset,
  model: Model,
  output: Output,
): TargetPolicy {
  const problem = labelProblem(dataset, model);
  if (wanted === 'predicted') return wanted;
  if (problem === undefined) return wanted ?? 'ground-truth';
  if (wanted !== undefined) throw new FoveaError('usage', `${problem}: use --classes predicted`);
  output.note(`${problem}: the class that the model predicts is explained`);
  return 'predicted';
}

/** Names as asked for, with those of everything there is in the place of `all`. */
const withAll = (wanted: readonly string[], everything: readonly string[]): string[] => [
  ...new Set(wanted.flatMap((name) => (name === 'all' ? everything : [name]))),
];

/**
 * Metrics as asked for; those that the data set has no truth for are refused, or left out where
 * they were not asked for by name.
 */
function metricsFor({ metrics: wanted, set }: EvaluateFlags, dataset: Dataset): BenchmarkMetric[] {
  const isPossible = ({ metric }: BenchmarkMetric) =>
    !metric.needs.includes('mask') || dataset.provides.includes('mask');
  const requested = requestMetrics(withAll(wanted ?? DEFAULT_METRICS, allMetrics()), set);
  const refused = requested.find((each) => !isPossible(each) && wanted?.includes(each.key));
  if (refused)
    throw new FoveaError('usage', `${refused.key} needs masks, which ${dataset.name} has not`);
  return requested.filter(isPossible);
}

interface Session {
  readonly flags: EvaluateFlags;
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly shard: Shard | undefined;
}

async function benchmarkOf(
  { flags, output, signal, shard }: Session,
  whole: Dataset,
  { model, loadModel }: LoadedModel,
): Promise<Benchmark> {
  const names = withAll(flags.methods ?? DEFAULT_METHODS, methods.names);
  const set = settingsFor(flags.set);
  return {
    model,
    dataset: selectSamples(whole, selectionOf(flags, shard)),
    methods: requestMethods(
      [...names.filter((name) => !CONTROLS.includes(name)), ...CONTROLS],
      set,
    ),
    metrics: metricsFor(flags, whole),
    target: targetOf(flags.classes, whole, model, output),
    seed: flags.seed,
    folder: flags.out,
    part: shard && `${shard.index + 1}-of-${shard.count}`,
    batchSize: flags.batchSize,
    loadModel,
    signal,
  };
}

/** A duration as people say it. */
export function formatDuration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function announce(
  { output, shard }: Session,
  { dataset, methods: run, metrics: scored, target }: Benchmark,
  store: ScoreStore,
): void {
  const total = dataset.length * run.length * scored.length;
  const items = new Set(Array.from({ length: dataset.length }, (_, i) => dataset.idOf(i)));
  const names = new Set(run.map(({ method }) => method.name));
  const keys = new Set(scored.map(({ key }) => key));
  const there = store
    .scores()
    .filter(
      ({ item, method, metric }) => items.has(item) && names.has(method) && keys.has(metric),
    ).length;
  const done = there > 0 ? `; ${formatCount(there)} are there already` : '';
  const part = shard ? `part ${shard.index + 1} of ${shard.count}: ` : '';
  output.note(
    `${part}${formatCount(dataset.length)} pictures × ${run.length} methods × ${scored.length} metrics = ${formatCount(total)} scores, target ${target}${done}`,
  );
}

/** So many pictures that are left out are named; data sets can have thousands. */
const NAMED = 5;

async function score(
  session: Session,
  benchmark: Benchmark,
  store: ScoreStore,
): Promise<Problem[]> {
  const { output } = session;
  announce(session, benchmark, store);
  // Which pictures the model recognises shows when their turn comes.
  const about = benchmark.target === 'recognised' ? 'at most' : 'about';
  let leftOut = 0;
  const problems = await runBenchmark(benchmark, store, {
    onProblem: ({ kind, message }, error) => {
      if (kind !== 'left-out' || ++leftOut <= NAMED) output.fail(message, error);
    },
    onRecord: (record: BenchmarkRecord) =>
      output.record(record.kind === 'map' ? { ...record, sketch: undefined } : record),
    onProgress: (share, what) => output.progress.update(share, what),
    onEstimate: ({ modelCalls, samples, secondsLeft }) =>
      output.note(
        `${about} ${formatCount(modelCalls * samples)} model calls in all (${formatCount(modelCalls)} a picture); ${formatDuration(secondsLeft)} left`,
      ),
  });
  if (leftOut > NAMED)
    output.note(`${formatCount(leftOut)} pictures are left out in all; report.html names them`);
  return problems;
}

/** The table of scores as the command prints it. */
function printedTable(summary: Summary): string {
  const arrow = (direction: string) => (direction === 'higher' ? '↑' : '↓');
  const head = [
    'method',
    ...summary.metrics.map(({ key, direction }) => `${key} ${arrow(direction)}`),
    'mean rank',
  ];
  const rows = methodOrder(summary).map(({ method, rank }) => [
    method,
    ...summary.metrics.map(({ key }) => {
      const value =
        summary.table.find((cell) => cell.method === method && cell.metric === key)?.value ?? null;
      return value === null ? '–' : formatScore(value);
    }),
    Number.isFinite(rank) ? rank.toFixed(1) : '–',
  ]);
  return formatTable(head, rows);
}

/**
 * How many pictures a mask was missing for, where it was asked for; other things that are missing
 * are named as they come.
 */
function noteMaskless(
  output: Output,
  { dataset }: Benchmark,
  store: ScoreStore,
  { pictures }: Summary,
): void {
  const items = new Set(Array.from({ length: dataset.length }, (_, i) => dataset.idOf(i)));
  const maskless = new Set(
    store
      .scores()
      .flatMap(({ item, reason }) => (reason === NO_MASK && items.has(item) ? [item] : [])),
  );
  if (maskless.size > 0)
    output.note(
      `${formatCount(maskless.size)} of ${formatCount(pictures)} pictures have no mask: metrics that need one leave them out`,
    );
}

/** Puts all scores together and writes the files of results. Answers whether there are any. */
async function conclude(
  { flags, output }: Session,
  benchmark: Benchmark,
  store: ScoreStore,
  problems: readonly Problem[],
): Promise<boolean> {
  output.progress.update(1, 'writing the report');
  const summary = await writeResults(benchmark, store, problems, flags.gallery);
  output.progress.stop();
  output.print(
    `${printedTable(summary)}\n\n${formatCount(summary.pictures)} pictures. Report: ${join(flags.out, 'report.html')}`,
  );
  output.record({
    summary: { pictures: summary.pictures, table: summary.table, cost: summary.cost },
  });
  noteMaskless(output, benchmark, store, summary);
  if (summary.pictures > 0) return true;
  const { dataset, model, target } = benchmark;
  const hint =
    target === 'predicted'
      ? ''
      : `; if its labels are no classes of ${model.name}, use --classes predicted`;
  output.fail(
    `no picture of ${dataset.name} was scored: each of the ${formatCount(dataset.length)} is left out, damaged or failed${hint}`,
  );
  return false;
}

/**
 * Whether something went wrong. A picture without a class to explain is no failure, nor is what
 * only `all` or the default asked for.
 */
function isFailure(
  { methods: wantedMethods, metrics: wantedMetrics }: EvaluateFlags,
  { kind, method, metric }: Problem,
): boolean {
  if (kind !== 'not-run') return kind !== 'left-out';
  return (
    wantedMethods?.includes(method ?? '') === true || wantedMetrics?.includes(metric ?? '') === true
  );
}

/** Everything from the data set to the report. Returns the exit code. */
async function evaluate(session: Session, whole: Dataset, loaded: LoadedModel): Promise<number> {
  const { flags, output, shard } = session;
  const benchmark = await benchmarkOf(session, whole, loaded);
  await requireWritableFolder(flags.out);
  await claimFolder(flags.out, settingsOf(benchmark), flags.resume === true, shard !== undefined);
  const store = await openStore(flags.out, benchmark.part);
  const problems = await score(session, benchmark, store);
  output.progress.stop();
  const isFailed = problems.some((problem) => isFailure(flags, problem));
  if (!shard) {
    const hasScores = await conclude(session, benchmark, store, problems);
    return hasScores ? (isFailed ? EXIT.someFailed : EXIT.done) : EXIT.nothingRan;
  }
  output.note(
    `part ${benchmark.part} is done; when all are, run the same without --shard and with --resume for the report`,
  );
  return isFailed ? EXIT.someFailed : EXIT.done;
}

/** `fovea evaluate`. Returns the exit code. */
export async function evaluateCommand(
  _args: readonly string[],
  flags: EvaluateFlags,
  signal: AbortSignal,
): Promise<number> {
  const output = createOutput(flags);
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard, process.env);
  const whole = await openFlagged(flags);
  const isToyFine = flags.dataset?.startsWith('demo-scenes') === true;
  const loaded = await openModel(flags, output, signal, isToyFine);
  try {
    return await evaluate({ flags, output, signal, shard }, whole, loaded);
  } catch (error) {
    output.progress.stop();
    const kept = `what is done is kept in ${flags.out}: add --resume to go on`;
    if (error instanceof FoveaError && error.code === 'cancelled') {
      if (signal.reason !== BROKEN_OUTPUT) output.fail(`interrupted: ${kept}`);
      return EXIT.interrupted;
    }
    if (!(error instanceof FoveaError) || error.code !== 'output') throw error;
    output.fail(`${describeError(error)} (${kept})`, error);
    return EXIT.someFailed;
  } finally {
    await loaded.model.dispose();
  }
}
