import { stemOf } from '../../datasets/files.ts';
import { FoveaError } from '../../errors.ts';
import { methods } from '../../methods/index.ts';
import { requireWritableFolder } from '../../node/write-file.ts';
import { colormap } from '../../visualize/colormap.ts';
import {
  type ExplainItem,
  type ExplainPlan,
  explainFiles,
  type Outcome,
  type ResultRecord,
} from '../explain-files.ts';
import { expandInputs, resultNames } from '../inputs.ts';
import { FORMATS, type Format, type MethodRequest, requestMethods } from '../options.ts';
import {
  BROKEN_OUTPUT,
  type Cell,
  createOutput,
  describeError,
  exitCodeOf,
  formatCount,
  formatShare,
  formatTable,
  type Output,
} from '../output.ts';
import { checkTarget, type LoadedModel, type ModelFlags, openModel } from '../session.ts';

/** What the commands that write maps have in common. */
export interface RunFlags extends ModelFlags {
  readonly seed: number;
  readonly set?: readonly string[];
  /** All of them if not given. */
  readonly format?: readonly Format[];
  readonly colormap?: string;
  readonly batchSize?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** The options of `fovea explain`. */
export interface ExplainFlags extends RunFlags {
  /** IASSA if not given. */
  readonly method?: readonly string[];
  readonly target: string;
  readonly out: string;
}

/** A result, as a run hands it over. */
export type Finished = Extract<Outcome, { kind: 'done' }>;

/**
 * What a run is over; what is wrong with the rest; how many results of earlier runs were left out.
 */
export interface FoundItems {
  readonly items: readonly ExplainItem[];
  readonly problems: readonly string[];
  readonly leftOut: number;
}

/** The files that arguments name, all with one target. */
export async function itemsOf(inputs: readonly string[], target: string): Promise<FoundItems> {
  const { files, problems, leftOut } = await expandInputs(inputs, methods.names);
  return {
    items: files.map((file) => ({ file, target })),
    problems: problems.map(({ message }) => message),
    leftOut,
  };
}

/** What a run over files needs to know, whichever command starts it. */
export interface RunRequest {
  /** Finds what is to be explained. */
  readonly items: () => Promise<FoundItems>;
  readonly methods: readonly MethodRequest[];
  /** Whether the names of results always end in the class. */
  readonly classNames?: boolean;
  readonly folder: string;
  readonly flags: RunFlags;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Called with each result as it comes, before the next one is begun. */
  readonly onResult: (outcome: Finished, loaded: LoadedModel) => void | Promise<void>;
  /**
   * Whether an earlier run finished a picture, whose results are called `name`: it is left out
   * then.
   */
  readonly isDone?: (file: string, name: string, loaded: LoadedModel) => Promise<boolean>;
}

/** What a run left behind. */
interface Tally {
  results: number;
  failures: number;
}

/** Finds what is to be explained, says what is wrong with the rest, and counts that. */
async function findItems(
  { items: find, output }: RunRequest,
  tally: Tally,
): Promise<readonly ExplainItem[]> {
  const { items, problems, leftOut } = await find();
  for (const problem of problems) output.fail(problem);
  if (leftOut > 0)
    output.note(
      `${leftOut === 1 ? 'a result' : `${leftOut} results`} of earlier runs among the inputs left out`,
    );
  tally.failures += problems.length;
  return items;
}

function planFor(
  { flags, output, signal, ...request }: RunRequest,
  items: readonly ExplainItem[],
  { model, loadModel }: LoadedModel,
): ExplainPlan {
  const files = [...new Set(items.map(({ file }) => file))];
  const names = resultNames(files);
  const renamed = files.filter((file) => names.get(file) !== stemOf(file));
  if (renamed.length > 0)
    output.note(
      `several inputs have the same name: their results are told apart by folder or ending, as in ${names.get(renamed[0])}.*`,
    );
  return {
    ...request,
    model,
    items,
    names,
    loadModel,
    signal,
    seed: flags.seed,
    formats: flags.format ?? FORMATS,
    colormap: flags.colormap,
    batchSize: flags.batchSize,
    onProgress: (share, what) => output.progress.update(share, what),
  };
}

/** The items that no earlier run finished. */
async function openItems(
  { isDone, output, folder }: RunRequest,
  { items, names }: ExplainPlan,
  loaded: LoadedModel,
): Promise<readonly ExplainItem[]> {
  if (!isDone) return items;
  const open: ExplainItem[] = [];
  for (const item of items)
    if (!(await isDone(item.file, names.get(item.file) ?? '', loaded))) open.push(item);
  if (open.length < items.length)
    output.note(
      `${items.length - open.length} of ${items.length} pictures are done already in ${folder}`,
    );
  return open;
}

async function work(
  request: RunRequest,
  items: readonly ExplainItem[],
  loaded: LoadedModel,
  tally: Tally,
): Promise<void> {
  const { output } = request;
  for (const target of new Set(items.map((item) => item.target))) checkTarget(loaded.model, target);
  const plan = planFor(request, items, loaded);
  const open = await openItems(request, plan, loaded);
  for await (const outcome of explainFiles({ ...plan, items: open })) {
    if (outcome.kind === 'failed') {
      tally.failures += 1;
      output.fail(outcome.message, outcome.error);
    } else {
      tally.results += 1;
      const { manifest } = outcome.explanation;
      for (const warning of manifest.warnings.slice(loaded.model.warnings.length))
        output.note(`${outcome.record.image}: ${warning}`);
      await settle(request, outcome, loaded, tally);
    }
  }
}

/**
 * Hands a result to the command; what it cannot do with it is a failure of that picture, unless it
 * was interrupted.
 */
async function settle(
  { onResult, output }: RunRequest,
  outcome: Finished,
  loaded: LoadedModel,
  tally: Tally,
): Promise<void> {
  try {
    await onResult(outcome, loaded);
  } catch (error) {
    if (error instanceof FoveaError && error.code === 'cancelled') throw error;
    tally.failures += 1;
    output.fail(`${outcome.record.image}: ${describeError(error)}`, error);
  }
}

/**
 * Expands the inputs, loads the model and explains every file. Answers the exit code; `finish` is
 * called before, also when the run was interrupted, to print what there is.
 */
export async function runExplanations(
  request: RunRequest,
  finish: (tally: Tally) => void | Promise<void>,
): Promise<number> {
  const { output, flags, folder } = request;
  const tally: Tally = { results: 0, failures: 0 };
  let loaded: LoadedModel | undefined;
  let stop: unknown;
  try {
    if (flags.colormap !== undefined) colormap(flags.colormap);
    const items = await findItems(request, tally);
    if (items.length > 0) {
      await requireWritableFolder(folder);
      loaded = await openModel(flags, output, request.signal);
      await work(request, items, loaded, tally);
    }
  } catch (error) {
    stop = error;
  }
  output.progress.stop();
  try {
    await finish(tally);
  } catch (error) {
    stop ??= error;
  }
  await loaded?.model.dispose();
  return conclude(stop, tally, request);
}

/** Says how the run ended, if not well, and answers the exit code. */
function conclude(stop: unknown, tally: Tally, { output, folder, signal }: RunRequest): number {
  const kept = `${tally.results} finished ${tally.results === 1 ? 'result is' : 'results are'} kept in ${folder}`;
  if (stop instanceof FoveaError && stop.code === 'cancelled') {
    if (signal.reason !== BROKEN_OUTPUT) output.fail(`interrupted: ${kept}`);
    return 130;
  }
  if (stop !== undefined) {
    output.fail(tally.results > 0 ? `${describeError(stop)} (${kept})` : describeError(stop), stop);
    return exitCodeOf(stop);
  }
  return tally.failures > 0 ? 1 : 0;
}

const RESULT_COLUMNS = [
  'picture',
  'method',
  'class',
  'probability',
  'model calls',
  'seconds',
  'written',
];

function rowOf({ image, method, target, files, modelCalls, seconds }: ResultRecord): Cell[] {
  return [
    image,
    method,
    target.label,
    formatShare(target.probability),
    formatCount(modelCalls.forward),
    seconds.toFixed(1),
    files.png ?? files.npy ?? files.json ?? '',
  ];
}

/** A run that lists its results and does nothing else with them. Answers the exit code. */
export async function listExplanations(
  request: Omit<RunRequest, 'output' | 'onResult'>,
): Promise<number> {
  const output = createOutput(request.flags);
  const rows: Cell[][] = [];
  const onResult = ({ record }: Finished) => {
    output.record(record);
    rows.push(rowOf(record));
  };
  return runExplanations({ ...request, output, onResult }, () => {
    if (rows.length > 0) output.print(formatTable(RESULT_COLUMNS, rows));
  });
}

/** `fovea explain`. Answers the exit code. */
export async function explainCommand(
  inputs: readonly string[],
  flags: ExplainFlags,
  signal: AbortSignal,
): Promise<number> {
  const methods = requestMethods(flags.method ?? ['iassa'], flags.set);
  return listExplanations({
    items: () => itemsOf(inputs, flags.target),
    flags,
    signal,
    methods,
    folder: flags.out,
  });
}
