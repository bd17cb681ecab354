import type { Statement } from '../checks/statements.ts';
import { stemOf } from '../datasets/files.ts';
import { FoveaError } from '../errors.ts';
import type { MethodRun } from '../explain.ts';
import { methods as registry } from '../methods/index.ts';
import type { Model } from '../model/model.ts';
import { parseTarget, type TargetSpec, targetChooser } from '../model/target.ts';
import { requireWritableFolder } from '../node/write-file.ts';
import { parseOptions } from '../options.ts';
import { plural } from '../plural.ts';
import { colormap } from '../visualize/colormap.ts';
import { expandInputs, resultNames } from './inputs.ts';
import { BROKEN_OUTPUT, describeError, EXIT, exitCodeOf, type Output } from './output.ts';
import { type ModelFlags, openModel } from './session.ts';
import { requestMethods } from './settings.ts';
import { FORMATS, type Format } from './shared-options.ts';

/** The options of all commands that write maps. */
export interface RunFlags extends ModelFlags {
  readonly methods?: readonly string[];
  /** `top1` if not given. */
  readonly target?: readonly string[];
  readonly against?: readonly string[];
  readonly set?: readonly string[];
  readonly seed: number;
  readonly batchSize?: number;
  readonly out: string;
  /** All formats if not given. */
  readonly format?: readonly Format[];
  readonly colormap?: string;
  /** Opacity of the strongest color, 0 … 1; that of `overlay` if not given. */
  readonly opacity?: number;
  readonly annotate?: boolean;
  /** The statements to check about each map; none if not given. */
  readonly check?: readonly Statement[];
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** A picture to explain. */
export interface RunItem {
  /** Path of the picture, or of an `.npy` file with a preprocessed input. */
  readonly file: string;
  readonly targets: readonly TargetSpec[];
}

/** The pictures of a run, and the problems of other inputs. */
export interface FoundItems {
  readonly items: readonly RunItem[];
  readonly problems: readonly string[];
}

/** A run of methods over pictures. A command creates it once; it does not change. */
export interface Run {
  readonly model: Model;
  readonly loadModel: (source: string) => Promise<Model>;
  readonly items: readonly RunItem[];
  /** The names of each picture's results (see `resultNames`). */
  readonly names: ReadonlyMap<string, string>;
  readonly methods: readonly MethodRun[];
  readonly seed: number;
  /** The most model calls for the maps of one method on one picture. */
  readonly budget?: number;
  readonly batchSize?: number;
  readonly folder: string;
  readonly formats: readonly Format[];
  readonly colormap?: string;
  readonly opacity?: number;
  /** Whether class, method and a color bar are drawn around the pictures. */
  readonly annotate: boolean;
  /** The statements that are checked about each map. */
  readonly checks: readonly Statement[];
  /** Whether the names of results always end in the class: `NAME.METHOD.INDEX-LABEL`. */
  readonly hasClassNames: boolean;
  /** Whether to keep results of the same request in the folder. */
  readonly resume: boolean;
  readonly output: Output;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** Numbers of results and failures. */
interface Tally {
  results: number;
  failures: number;
  /** Failures that are the caller's mistake. */
  usage: number;
}

/** The request of a command. */
export interface RunRequest {
  readonly flags: RunFlags;
  readonly output: Output;
  readonly signal: AbortSignal;
  /** Methods that run if `--methods` is not given. */
  readonly methods: readonly string[];
  readonly find: () => FoundItems | Promise<FoundItems>;
  readonly formats?: readonly Format[];
  readonly hasClassNames?: boolean;
  /** The number of model calls per picture that the command makes beside the maps; 0 if not given. */
  readonly otherCalls?: number;
}

/**
 * The targets of `--target`, each against the classes of `--against`.
 * @throws FoveaError `usage` if `--against` is combined with `top:N`.
 */
export function targetsOf({
  target = ['top1'],
  against = [],
}: Pick<RunFlags, 'target' | 'against'>): TargetSpec[] {
  const targets = target.map(parseTarget);
  if (against.length === 0) return targets;
  const others = against.map((text) => (/^\d+$/.test(text.trim()) ? Number(text) : text));
  return targets.map((spec) => {
    if (typeof spec === 'object') return { class: spec.class, against: others };
    if (typeof spec === 'number' || spec === 'top1') return { class: spec, against: others };
    throw new FoveaError(
      'usage',
      `--target ${spec} --against …: expected one of top1, a class index or a label for --target`,
    );
  });
}

/**
 * The target of a command that explains one class of each picture.
 * @throws FoveaError `usage` if there are several, with `why`.
 */
export function oneTargetOf(flags: Pick<RunFlags, 'target'>, why: string): TargetSpec[] {
  const targets = targetsOf(flags);
  const [first] = targets;
  if (targets.length === 1 && !String(first).startsWith('top:')) return targets;
  throw new FoveaError(
    'usage',
    `--target ${flags.target?.join(' ')}: ${why}: expected one of top1, a class index or a label`,
  );
}

/** The pictures of the arguments, all with the same targets. */
export async function findItems(
  inputs: readonly string[],
  targets: readonly TargetSpec[],
  output: Output,
): Promise<FoundItems> {
  const { files, problems, leftOut } = await expandInputs(inputs, registry.names);
  if (leftOut > 0) {
    const results = leftOut === 1 ? 'a result' : `${leftOut} results`;
    output.note(`left out ${results} of earlier runs among the inputs`);
  }
  return {
    items: files.map((file) => ({ file, targets })),
    problems: problems.map(({ message }) => message),
  };
}

/** The names of each input's results. Adds a note if a name is not that of the input. */
function namesFor(items: readonly RunItem[], output: Output): Map<string, string> {
  const names = resultNames([...new Set(items.map(({ file }) => file))]);
  const renamed = [...names].find(([file, name]) => name !== stemOf(file));
  if (renamed) {
    output.note(
      'several inputs have the same name: their results also have folder or extension in the ' +
        `name, as in ${renamed[1]}.*`,
    );
  }
  return names;
}

/**
 * The share of one map in `--budget`: one call is for the probe of a model on a server,
 * and one per picture for its classification. The methods share the rest equally.
 * With a cache of requests the methods keep their options, because a cached response costs nothing.
 * @throws FoveaError `usage` if no call is left for a map.
 */
export function budgetPerMap(
  { budget, requestCache }: ModelFlags,
  pictures: number,
  methods: number,
  otherCalls = 0,
): number | undefined {
  if (budget === undefined || requestCache !== undefined) return undefined;
  const other = 1 + pictures * (1 + otherCalls);
  const share = Math.floor((budget - other) / (pictures * methods));
  if (share >= 1) return share;
  throw new FoveaError(
    'usage',
    `--budget ${budget}: expected at least ${other + pictures * methods} for ` +
      `${plural(pictures * methods, 'map')} of ${plural(pictures, 'picture')}`,
  );
}

/**
 * Finds the pictures, checks names, folder and targets, and loads the model. Returns undefined if
 * there is no picture.
 */
async function openRun(request: RunRequest, tally: Tally): Promise<Run | undefined> {
  const { flags, output, signal, find, formats, hasClassNames = false } = request;
  const methods = requestMethods(flags.methods ?? request.methods, flags.set).map(
    ({ method, options }): MethodRun => ({ method, options: parseOptions(method, options) }),
  );
  if (flags.colormap !== undefined) colormap(flags.colormap);
  const { items, problems } = await find();
  for (const problem of problems) output.fail(problem);
  tally.failures += problems.length;
  if (items.length === 0) return undefined;
  const budget = budgetPerMap(flags, items.length, methods.length, request.otherCalls);
  await requireWritableFolder(flags.out);
  const { model, loadModel } = await openModel(flags, output, signal);
  const run: Run = {
    model,
    loadModel,
    items,
    names: namesFor(items, output),
    methods,
    seed: flags.seed,
    budget,
    batchSize: flags.batchSize,
    folder: flags.out,
    formats: formats ?? flags.format ?? FORMATS,
    colormap: flags.colormap,
    opacity: flags.opacity,
    annotate: flags.annotate === true,
    checks: flags.check ?? [],
    hasClassNames,
    resume: flags.resume === true,
    output,
    tally,
    signal,
  };
  try {
    for (const targets of new Set(items.map((item) => item.targets))) targetChooser(model, targets);
  } catch (error) {
    await model.dispose();
    throw error;
  }
  return run;
}

/** Reports the end of a run if something failed, and returns the exit code. */
function conclude(stop: unknown, tally: Tally, { output, flags, signal }: RunRequest): number {
  const { results, failures, usage } = tally;
  const kept =
    `${results} finished ${results === 1 ? 'result is' : 'results are'} kept in ` + `${flags.out}`;
  if (stop instanceof FoveaError && stop.code === 'cancelled') {
    if (signal.reason !== BROKEN_OUTPUT) output.fail(`interrupted: ${kept}`);
    return EXIT.interrupted;
  }
  if (stop !== undefined) {
    output.fail(results > 0 ? `${describeError(stop)} (${kept})` : describeError(stop), stop);
    return results > 0 ? EXIT.someFailed : exitCodeOf(stop);
  }
  if (failures === 0) return EXIT.done;
  if (results > 0) return EXIT.someFailed;
  return usage === failures ? EXIT.wrongUsage : EXIT.nothingRan;
}

/**
 * Opens a run, calls `work` and then `finish`, and returns the exit code. `finish` prints the
 * results so far, even if the run was interrupted.
 */
export async function withRun(
  request: RunRequest,
  work: (run: Run) => Promise<void>,
  finish: (run: Run) => void | Promise<void>,
): Promise<number> {
  const tally: Tally = { results: 0, failures: 0, usage: 0 };
  let run: Run | undefined;
  let stop: unknown;
  try {
    run = await openRun(request, tally);
    if (run) await work(run);
  } catch (error) {
    stop = error;
  }
  request.output.progress.stop();
  try {
    if (run) await finish(run);
  } catch (error) {
    stop ??= error;
  }
  await run?.model.dispose();
  return conclude(stop, tally, request);
}

/** Reports that a picture, or one method on it, failed, and counts that. */
export function reportFailure(
  { output, tally }: Run,
  file: string,
  error: unknown,
  method?: string,
): void {
  tally.failures += 1;
  if (error instanceof FoveaError && error.code === 'usage') tally.usage += 1;
  const message = describeError(error);
  const where = method === undefined ? file : `${file}, ${method}`;
  output.fail(message.startsWith(file) ? message : `${where}: ${message}`, error);
}

/** Whether an error means that the run was interrupted. */
export const isInterruption = (error: unknown): boolean =>
  error instanceof FoveaError && error.code === 'cancelled';

/**
 * Runs a step that a command adds to a result. If the step fails, this picture has failed, and the
 * run goes on.
 */
export async function attempt(run: Run, file: string, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    if (isInterruption(error)) throw error;
    reportFailure(run, file, error);
  }
}
