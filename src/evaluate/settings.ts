import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import type { Json } from '../json.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import { VERSION } from '../version.ts';
import type { Evaluation, TargetPolicy } from './records.ts';
import { holdsScores, readIfThere } from './store.ts';
import { parseSettings } from './stored-json.ts';

/** What the scores of a folder were made with. Runs that add to them must agree. */
export interface Settings {
  readonly fovea: string;
  readonly model: {
    readonly name: string;
    readonly fingerprint: string;
    readonly runtime: string;
    readonly preprocessing: Json;
  };
  /** `index` is the SHA-256 of the file that holds its labels or masks. */
  readonly dataset: {
    readonly name: string;
    readonly protocol: readonly string[];
    readonly options: Json;
    readonly index?: string;
  };
  readonly target: TargetPolicy;
  readonly seed: number;
  /** Method and complete options of each row, by its name. */
  readonly methods: {
    readonly [row: string]: { readonly method: string; readonly options: Json };
  };
  /** Metric, protocol and complete options of each column, by its key. */
  readonly metrics: {
    readonly [column: string]: {
      readonly metric: string;
      readonly preset: string;
      readonly options: Json;
    };
  };
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** The settings of an evaluation. */
export function settingsOf(evaluation: Evaluation): Settings {
  const { model, dataset, methods, metrics, target, seed } = evaluation;
  const { name, fingerprint, runtime, preprocessing } = model;
  return {
    fovea: VERSION,
    model: { name, fingerprint, runtime, preprocessing: plain(preprocessing) },
    dataset: {
      name: dataset.name,
      protocol: dataset.protocol,
      options: plain(dataset.options ?? {}),
      index: dataset.index,
    },
    target,
    seed,
    methods: Object.fromEntries(
      methods.map((each) => [
        each.name,
        { method: each.method.name, options: plain(each.options) },
      ]),
    ),
    metrics: Object.fromEntries(
      metrics.map(({ key, metric, preset, options }) => [
        key,
        { metric: metric.name, preset, options: plain(options) },
      ]),
    ),
  };
}

/** What must be the same for scores to stand in one table, in words. */
function fixedParts(settings: Settings): readonly (readonly [what: string, value: unknown])[] {
  const { fovea, model, dataset, target, seed, methods, metrics } = settings;
  return [
    ['version of Fovea', fovea],
    ['model', [model.name, model.fingerprint]],
    ['preprocessing', model.preprocessing],
    // The protocol may change: it says how many pictures are taken, and a run may take more later.
    ['data set', dataset.name],
    ['settings of the data set', dataset.options],
    ['SHA-256 of the index of the data set', dataset.index],
    ['target', target],
    ['seed', seed],
    ...Object.entries(methods).flatMap(
      ([name, { method, options }]) =>
        [
          [`method of ${name}`, method],
          [`options of ${name}`, options],
        ] as const,
    ),
    ...Object.entries(metrics).map(([key, protocol]) => [`protocol of ${key}`, protocol] as const),
  ];
}

const FILE = 'run.json';

/** The path of the settings of a folder. */
export const settingsPath = (folder: string): string => join(folder, FILE);

/** Settings of an earlier run and of this one together; methods and metrics may be added. */
function merge(before: Settings, now: Settings, folder: string): Settings {
  const earlier = new Map(fixedParts(before));
  const differing = fixedParts(now).find(
    ([what, value]) =>
      earlier.has(what) && JSON.stringify(earlier.get(what)) !== JSON.stringify(value),
  );
  if (differing) {
    const [what, value] = differing;
    const [was, is] = [JSON.stringify(earlier.get(what)), JSON.stringify(value)];
    throw new FoveaError(
      'usage',
      `the scores in ${folder} were made with other settings: ${what} was ${was}, now ${is}; ` +
        'take another folder, or the same settings',
    );
  }
  return {
    ...now,
    methods: { ...before.methods, ...now.methods },
    metrics: { ...before.metrics, ...now.metrics },
  };
}

/** The settings that a folder holds. */
function readSettings(text: string, folder: string): Settings {
  const { value, problems } = parseSettings(text);
  if (!problems) return value;
  throw new FoveaError(
    'usage',
    `${settingsPath(folder)} is damaged (${problems.join('; ')}): take another folder`,
  );
}

/**
 * Makes sure that the scores of a folder and those of this run belong together, and writes the
 * settings. The settings of a run that ended before its first score are forgotten, but not if this
 * run is a part: another part may not have its first score yet.
 * @throws FoveaError `usage` if there are scores and `resume` is false, if they were made with
 * other settings, or if `run.json` is damaged.
 */
export async function claimFolder(
  folder: string,
  now: Settings,
  resume: boolean,
  isPart = false,
): Promise<void> {
  const hasScores = await holdsScores(folder);
  if (hasScores && !resume && !isPart) {
    throw new FoveaError(
      'usage',
      `${folder} holds scores of an earlier run: add --resume (resume: true) to go on with it, ` +
        'or take another folder',
    );
  }
  const text = hasScores || isPart ? await readIfThere(settingsPath(folder)) : undefined;
  const settings = text === undefined ? now : merge(readSettings(text, folder), now, folder);
  await writeFileAtomic(settingsPath(folder), `${JSON.stringify(settings, null, 2)}\n`);
}
