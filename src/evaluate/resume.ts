/**
 * How an interrupted evaluation resumes:
 *
 * 1. `lockFolder` (folder-lock.ts) makes sure that no other process writes to the folder.
 * 2. `claimFolder`, below, compares `run.json`, the settings that the scores of the folder were
 *   made with, to the settings of this run, and refuses if they differ.
 * 3. `openStore` (store.ts) reads the scores of earlier runs and removes an incomplete last line.
 * 4. `runEvaluation` (run.ts) computes the results that the store lacks. It reads existing maps
 *   from the cache (cache.ts).
 */
import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import type { Settings } from './settings.ts';
import { holdsScores, readIfThere } from './store.ts';
import { parseSettings } from './stored-json.ts';

/** The settings that must be equal for scores to be compared in one table, with their names. */
function fixedParts(settings: Settings): readonly (readonly [what: string, value: unknown])[] {
  const { fovea, model, dataset, target, seed, methods, metrics } = settings;
  return [
    ['version of Fovea', fovea],
    ['model', [model.name, model.fingerprint]],
    ['preprocessing', model.preprocessing],
    // The protocol may change: it contains the number of pictures, which a later run may raise.
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

/** Joins the settings of an earlier run and of this one. A run may add methods and metrics. */
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

/** Reads the settings of a folder from their text. */
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
 * settings. The settings of a run that ended before its first score are replaced. They are kept if
 * this run is a part, because another part may not have its first score yet.
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
