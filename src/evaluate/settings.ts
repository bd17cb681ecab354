import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import type { Json } from '../json.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import { parseOptions } from '../options.ts';
import { VERSION } from '../version.ts';
import type { Benchmark, BenchmarkMetric, ScoreRecord, TargetPolicy } from './records.ts';
import { holdsScores, readIfThere } from './store.ts';

/** What the scores of a folder were made with. Runs that add to them must agree. */
export interface Settings {
  readonly fovea: string;
  readonly model: {
    readonly name: string;
    readonly fingerprint: string;
    readonly runtime: string;
    readonly preprocessing: Json;
  };
  /** `index` is the SHA-256 of the file that its labels or masks stand in. */
  readonly dataset: {
    readonly name: string;
    readonly protocol: readonly string[];
    readonly options: Json;
    readonly index?: string;
  };
  readonly target: TargetPolicy;
  readonly seed: number;
  /** Options of each method, all of them. */
  readonly methods: { readonly [method: string]: Json };
  /** Protocol and options of each metric, by its key. */
  readonly metrics: {
    readonly [metric: string]: { readonly preset: string; readonly options: Json };
  };
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** The protocol of a metric, and all its options: the preset's, then those given, then defaults. */
export function metricSettings({
  metric,
  preset = Object.keys(metric.presets)[0],
  options,
}: BenchmarkMetric): Pick<ScoreRecord, 'preset' | 'options'> {
  const all = parseOptions(metric, { ...metric.presets[preset], ...options });
  const published = parseOptions(metric, metric.presets[preset] ?? {});
  return {
    preset: JSON.stringify(all) === JSON.stringify(published) ? preset : 'custom',
    options: plain(all) as ScoreRecord['options'],
  };
}

/** The settings of a benchmark. */
export function settingsOf({
  model,
  dataset,
  methods,
  metrics,
  target,
  seed,
}: Benchmark): Settings {
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
      methods.map(({ method, options }) => [method.name, plain(parseOptions(method, options))]),
    ),
    metrics: Object.fromEntries(metrics.map((each) => [each.key, metricSettings(each)])),
  };
}

/** What must be the same for scores to stand in one table, in words. */
function fixedParts(settings: Settings): readonly (readonly [what: string, value: unknown])[] {
  const { fovea, model, dataset, target, seed, methods, metrics } = settings;
  return [
    ['version of Fovea', fovea],
    ['model', [model.name, model.fingerprint]],
    ['preprocessing', model.preprocessing],
    // Not its protocol, which says how many pictures were taken too: a run may go on with more of
    // them.
    ['data set', dataset.name],
    ['settings of the data set', dataset.options],
    ['SHA-256 of the index of the data set', dataset.index],
    ['target', target],
    ['seed', seed],
    ...Object.entries(methods).map(([name, options]) => [`options of ${name}`, options] as const),
    ...Object.entries(metrics).map(([name, options]) => [`protocol of ${name}`, options] as const),
  ];
}

const FILE = 'run.json';

/** Settings of an earlier run and of this one together; methods and metrics may be added. */
function merge(before: Settings, now: Settings, folder: string): Settings {
  const earlier = new Map(fixedParts(before));
  const differing = fixedParts(now).find(
    ([what, value]) =>
      earlier.has(what) && JSON.stringify(earlier.get(what)) !== JSON.stringify(value),
  );
  if (differing) {
    const [what, value] = differing;
    const text = (part: unknown) => JSON.stringify(part);
    throw new FoveaError(
      'usage',
      `the scores in ${folder} were made with other settings: ${what} was ${text(earlier.get(what))}, now ${text(value)}; take another folder, or the same settings`,
    );
  }
  return {
    ...now,
    methods: { ...before.methods, ...now.methods },
    metrics: { ...before.metrics, ...now.metrics },
  };
}

function parseSettings(text: string, folder: string): Settings {
  try {
    return JSON.parse(text) as Settings;
  } catch {
    throw new FoveaError('usage', `${join(folder, FILE)} is damaged: take another folder`);
  }
}

/**
 * Makes sure that a folder's scores and this run's belong together, and notes down the settings.
 * Settings of a run that ended before its first score are forgotten; not so where the run is a
 * part, since another part may be at its first.
 * @throws FoveaError `usage` if there are scores and `resume` is false, or if they were made
 * otherwise.
 */
export async function claimFolder(
  folder: string,
  now: Settings,
  resume: boolean,
  isPart = false,
): Promise<void> {
  const hasScores = await holdsScores(folder);
  if (hasScores && !resume && !isPart)
    throw new FoveaError(
      'usage',
      `${folder} holds scores of an earlier run: add --resume to go on with it, or take another folder`,
    );
  const text = hasScores || isPart ? await readIfThere(join(folder, FILE)) : undefined;
  const settings = text === undefined ? now : merge(parseSettings(text, folder), now, folder);
  await writeFileAtomic(join(folder, FILE), `${JSON.stringify(settings, null, 2)}\n`);
}
