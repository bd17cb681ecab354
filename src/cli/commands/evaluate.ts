import {
  type Dataset,
  datasetReaders,
  openDataset,
  parseShard,
  type Selection,
  type Shard,
  selectSamples,
} from '../../datasets/index.ts';
import { FoveaError } from '../../errors.ts';
import {
  controlWarnings,
  type EvaluationMethod,
  type EvaluationMetric,
  type EvaluationRecord,
  type EvaluationStart,
  evaluate,
  formatScore,
  methodOrder,
  type Problem,
  prepareMethod,
  prepareMetric,
  type Summary,
  type TargetPolicy,
} from '../../evaluate/index.ts';
import { methods } from '../../methods/index.ts';
import { plural } from '../../plural.ts';
import { allMetrics, requestMetrics } from '../metric-options.ts';
import {
  BROKEN_OUTPUT,
  createOutput,
  describeError,
  EXIT,
  formatCount,
  formatDuration,
  type Output,
} from '../output.ts';
import { type LoadedModel, type ModelFlags, openModel } from '../session.ts';
import { readerOptions, requestMethods, settingsFor } from '../settings.ts';
import { formatTable } from '../table.ts';

/** The options of `fovea evaluate`. */
export interface EvaluateFlags extends ModelFlags {
  readonly dataset?: string;
  /** Settings of the data set, KEY=VALUE. */
  readonly data?: readonly string[];
  readonly pics?: string;
  /** Sentences for the report, below the protocol of the data set. */
  readonly protocol?: readonly string[];
  readonly images?: string;
  /** IASSA, RISE, IIA and Grad-CAM if not given. */
  readonly methods?: readonly string[];
  /** The metrics of IASSA's Table 1 that the data set allows, if not given. */
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

/** The control methods, which always run for comparison: their maps ignore the picture. */
const controls = (): string[] =>
  [...methods].filter(({ family }) => family === 'control').map(({ name }) => name);

const DEFAULT_METHODS = ['iassa', 'rise', 'iia', 'grad-cam'];

const DEFAULT_METRICS = ['deletion', 'insertion', 'f1', 'iou', 'pointing-game'];

async function openFlagged(flags: EvaluateFlags): Promise<Dataset> {
  if (flags.dataset !== undefined && flags.pics !== undefined)
    throw new FoveaError('usage', 'give either --dataset or --pics, not both');
  const spec = flags.pics === undefined ? flags.dataset : `pics-list:${flags.pics}`;
  if (spec === undefined)
    throw new FoveaError(
      'usage',
      'there is no data set: give --dataset KIND:PATH, as in --dataset objects:data/, or --pics ' +
        'FILE',
    );
  const images = flags.images === undefined ? {} : { images: flags.images };
  const [kind = ''] = spec.split(':');
  const given = datasetReaders.has(kind) ? readerOptions(datasetReaders.get(kind), flags.data) : {};
  const dataset = await openDataset(spec, { ...given, ...images });
  if (dataset.length === 0) {
    const why = dataset.problems.length > 0 ? `: ${dataset.problems[0]}` : '';
    throw new FoveaError('usage', `${dataset.name} contains no pictures${why}`);
  }
  return { ...dataset, protocol: [...dataset.protocol, ...(flags.protocol ?? [])] };
}

function selectionOf({ limit, seededSample, seed }: EvaluateFlags): Selection {
  return {
    limit,
    ...(seededSample !== undefined && { sample: { count: seededSample, seed } }),
  };
}

/** The requested names; `all` is replaced by all names. */
const withAll = (wanted: readonly string[], everything: readonly string[]): string[] => [
  ...new Set(wanted.flatMap((name) => (name === 'all' ? everything : [name]))),
];

/**
 * The requested metrics, with their options parsed.
 * @throws FoveaError `usage` for an unknown metric, protocol or option.
 */
function metricsFor({ metrics: wanted = DEFAULT_METRICS, set }: EvaluateFlags): EvaluationMetric[] {
  const requested = requestMetrics(withAll(wanted, allMetrics()), set);
  return requested.map(({ key, ...each }) => prepareMetric({ ...each, name: key }));
}

/**
 * The metrics that the data set has the truth for. The others are left out, if only `all` or the
 * default asks for them.
 * @throws FoveaError `usage` for a metric that is asked for by name and needs masks, if the data
 * set has none.
 */
function withTruth(
  requested: readonly EvaluationMetric[],
  { metrics: wanted }: EvaluateFlags,
  { name, provides }: Dataset,
): EvaluationMetric[] {
  const isPossible = ({ metric }: EvaluationMetric) =>
    !metric.needs.includes('mask') || provides.includes('mask');
  const refused = requested.find((each) => !isPossible(each) && wanted?.includes(each.key));
  if (refused) throw new FoveaError('usage', `${refused.key} needs masks, but ${name} has none`);
  return requested.filter(isPossible);
}

/**
 * The requested methods, with their options parsed, and the controls last.
 * @throws FoveaError `usage` for an unknown method or option.
 */
function methodsFor({ methods: wanted = DEFAULT_METHODS, set }: EvaluateFlags): EvaluationMethod[] {
  const names = withAll(wanted, methods.names);
  const others = names.filter((name) => methods.get(name).family !== 'control');
  return requestMethods([...others, ...controls()], settingsFor(set)).map(prepareMethod);
}

interface Session {
  readonly flags: EvaluateFlags;
  readonly methods: readonly EvaluationMethod[];
  readonly metrics: readonly EvaluationMetric[];
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly shard: Shard | undefined;
}

function announce({ output, shard }: Session, start: EvaluationStart): void {
  for (const note of start.notes) output.note(note);
  const { pictures, methods: rows, metrics: columns, scores, done, target } = start;
  const part = shard ? `part ${shard.index + 1} of ${shard.count}: ` : '';
  const size = [
    plural(pictures, 'picture'),
    plural(rows.length, 'method'),
    plural(columns.length, 'metric'),
  ].join(' × ');
  const there = done > 0 ? `; ${formatCount(done)} are there already` : '';
  output.note(`${part}${size} = ${plural(scores, 'score')}, target ${target}${there}`);
}

/** The most left-out pictures that are named, because data sets can have thousands. */
const NAMED = 5;

/** The events of an evaluation, which the command prints. */
function eventsOf(session: Session, seen: { leftOut: number }) {
  const { output, flags } = session;
  // The number of pictures that the model recognizes is not known before.
  const about = flags.classes === 'recognised' ? 'at most' : 'about';
  return {
    onStart: (start: EvaluationStart) => announce(session, start),
    onProblem: ({ kind, message }: Problem, error: unknown) => {
      if (kind !== 'left-out' || ++seen.leftOut <= NAMED) output.fail(message, error);
    },
    onRecord: (record: EvaluationRecord) =>
      output.record(record.kind === 'map' ? { ...record, sketch: undefined } : record),
    onProgress: (share: number, what: string) => output.progress.update(share, what),
    onEstimate: (estimate: { modelCalls: number; samples: number; secondsLeft: number }) => {
      const { modelCalls, samples, secondsLeft } = estimate;
      const calls = `${about} ${formatCount(modelCalls * samples)} model calls in all`;
      const left = formatDuration(secondsLeft);
      output.note(`${calls} (${formatCount(modelCalls)} per picture); ${left} left`);
    },
  };
}

/** The printed table of scores. A score of fewer pictures has their number beside it. */
function printedTable(summary: Summary): string {
  const { pictures, metrics, table, cost } = summary;
  const fewer = (count: number): string => (count < pictures ? ` (${count}/${pictures})` : '');
  const head = [
    'method',
    ...metrics.map(({ key, direction, wonBy }) => {
      const arrow = direction === 'higher' ? '↑' : '↓';
      return `${key} ${arrow}${wonBy === undefined ? '' : ' !'}`;
    }),
    'mean rank',
  ];
  const rows = methodOrder(summary).map(({ method, rank }) => [
    `${method}${fewer(cost.find((each) => each.method === method)?.pictures ?? 0)}`,
    ...metrics.map(({ key }) => {
      const cell = table.find((each) => each.method === method && each.metric === key);
      return cell && cell.value !== null ? `${formatScore(cell.value)}${fewer(cell.count)}` : '–';
    }),
    Number.isFinite(rank) ? rank.toFixed(1) : '–',
  ]);
  return formatTable(head, rows);
}

/** Prints the table of a whole evaluation. Returns whether any picture was scored. */
function conclude(
  { output }: Session,
  dataset: Dataset,
  summary: Summary,
  report: string | undefined,
): boolean {
  const { pictures, maskless, table, cost } = summary;
  const count = formatCount(pictures);
  output.print(
    `${printedTable(summary)}\n\n${plural(pictures, 'picture')}. Report: ${report}\nModel: ` +
      `${summary.settings.model.name}`,
  );
  output.record({ summary: { pictures, table, cost } });
  for (const warning of controlWarnings(summary)) output.note(`! ${warning}`);
  if (maskless > 0) {
    const some = `${formatCount(maskless)} of ${count} pictures have no mask`;
    output.note(`${some}: metrics that need one leave them out`);
  }
  if (pictures > 0) return true;
  const { target, model } = summary.settings;
  const hint = `; if its labels are not classes of ${model.name}, use --classes predicted`;
  const all = formatCount(dataset.length);
  output.fail(
    `no picture of ${dataset.name} was scored: each of the ${all} was left out, damaged or ` +
      `failed${target === 'predicted' ? '' : hint}`,
  );
  return false;
}

/**
 * Whether a problem is a failure. A picture without a class to explain is not, and neither is a
 * method or metric that only `all` or the default requested.
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

/** Runs the evaluation, from the data set to the report. Returns the exit code. */
async function run(session: Session, whole: Dataset, loaded: LoadedModel): Promise<number> {
  const { flags, output, signal, shard } = session;
  const dataset = selectSamples(whole, selectionOf(flags));
  const seen = { leftOut: 0 };
  const { summary, problems, files } = await evaluate(dataset, {
    ...loaded,
    methods: session.methods,
    metrics: session.metrics,
    target: flags.classes,
    seed: flags.seed,
    folder: flags.out,
    resume: flags.resume,
    shard,
    gallery: flags.gallery,
    batchSize: flags.batchSize,
    signal,
    ...eventsOf(session, seen),
  });
  output.progress.stop();
  if (seen.leftOut > NAMED) {
    const count = formatCount(seen.leftOut);
    output.note(`${count} pictures are left out in all; report.html names them`);
  }
  const isFailed = problems.some((problem) => isFailure(flags, problem));
  if (!shard) {
    const hasScores = conclude(session, dataset, summary, files.report);
    return hasScores ? (isFailed ? EXIT.someFailed : EXIT.done) : EXIT.nothingRan;
  }
  output.note(
    `part ${shard.index + 1}-of-${shard.count} is done; when all are, run the same ` +
      'without --shard and with --resume for the report',
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
  // Wrong names are refused before the data set is read and the model is loaded.
  const requested = { methods: methodsFor(flags), metrics: metricsFor(flags) };
  const whole = await openFlagged(flags);
  const requests = { ...requested, metrics: withTruth(requested.metrics, flags, whole) };
  const isToyFine = flags.dataset?.startsWith('demo-scenes') === true;
  const loaded = await openModel(flags, output, signal, isToyFine);
  try {
    return await run({ flags, ...requests, output, signal, shard }, whole, loaded);
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
