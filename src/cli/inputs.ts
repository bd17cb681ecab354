import { stat } from 'node:fs/promises';
import { dirname, extname, join, relative, resolve, sep } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { STATEMENTS } from '../checks/statements.ts';
import { findPictures, naturalOrder, PICTURE_EXTENSIONS, stemOf } from '../datasets/files.ts';
import { at } from '../tensor/at.ts';

/** An input that cannot be used, with the reason. */
interface InputProblem {
  readonly input: string;
  readonly message: string;
}

/** The files of the arguments, each once. */
export interface ExpandedInputs {
  readonly files: readonly string[];
  readonly problems: readonly InputProblem[];
  /** Number of results of earlier runs that were left out of folders and patterns. */
  readonly leftOut: number;
}

/** The files of one argument; `problem` is the reason if there are none. */
interface Found {
  readonly files: readonly string[];
  readonly problem?: string;
  readonly leftOut?: number;
}

const slashes = (path: string): string => (sep === '\\' ? path.replaceAll('\\', '/') : path);

/**
 * Whether a name is that of a result of `explain`, such as `cat.rise.png` or `cat.rise.281.npy`.
 */
function isResult(path: string, methodNames: readonly string[]): boolean {
  const parts = `layer\\d*|graph|top|${STATEMENTS.join('|')}`;
  const result = `\\.([a-z0-9-]+)(\\.\\d+(-[a-z0-9-]+)?)?(\\.(${parts}))?\\.(npy|png|json)$`;
  const match = new RegExp(result).exec(path);
  return match !== null && [...methodNames, 'alternates'].includes(match[1] ?? '');
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch {
    return undefined;
  }
}

/** Files found in a folder or by a pattern: sorted, without results of earlier runs. */
function choose(found: readonly string[], methodNames: readonly string[], problem: string): Found {
  const files = found.filter((path) => !isResult(path, methodNames)).sort(naturalOrder);
  return {
    files,
    leftOut: found.length - files.length,
    problem: files.length === 0 ? problem : undefined,
  };
}

async function expandOne(input: string, methodNames: readonly string[]): Promise<Found> {
  const kind = await kindOf(input);
  if (kind === 'file') return { files: [input] };
  if (kind === 'folder') {
    const found = await findPictures(input);
    const problem = `${input} contains no pictures (${PICTURE_EXTENSIONS.join(', ')})`;
    return choose(
      found.map((path) => join(input, path)),
      methodNames,
      problem,
    );
  }
  if (/^https?:\/\//i.test(input))
    return { files: [], problem: `${input} is an address: download the picture and give its path` };
  if (!isDynamicPattern(slashes(input))) return { files: [], problem: `${input} does not exist` };
  const found = await glob(slashes(input), { onlyFiles: true, expandDirectories: false });
  return choose(found, methodNames, `${input} matches no file`);
}

/**
 * The files of paths, glob patterns and folders, each once. Folders are searched for pictures at
 * any depth. The files are in the order of the arguments, and in natural order within a folder or
 * pattern, from which results of earlier runs are left out.
 */
export async function expandInputs(
  inputs: readonly string[],
  methodNames: readonly string[],
): Promise<ExpandedInputs> {
  const files = new Map<string, string>();
  const problems: InputProblem[] = [];
  let leftOut = 0;
  for (const input of inputs) {
    const found = await expandOne(input, methodNames);
    for (const file of found.files) if (!files.has(resolve(file))) files.set(resolve(file), file);
    if (found.problem) problems.push({ input, message: found.problem });
    leftOut += found.leftOut ?? 0;
  }
  return { files: [...files.values()], problems, leftOut };
}

/** The innermost folder that contains all files. */
function commonFolder(paths: readonly string[]): string {
  let common = dirname(resolve(at(paths, 0)));
  for (const path of paths) {
    while (relative(common, resolve(path)).startsWith('..')) common = dirname(common);
  }
  return common;
}

/**
 * A key of a name that is equal for names that differ only by case: some file systems ignore it.
 */
const sameFile = (name: string): string => name.normalize('NFC').toLowerCase();

function groupBy(files: readonly string[], nameOf: (file: string) => string): string[][] {
  const groups = new Map<string, string[]>();
  for (const file of files) {
    const key = sameFile(nameOf(file));
    groups.set(key, [...(groups.get(key) ?? []), file]);
  }
  return [...groups.values()];
}

/**
 * The names of the results of each input: its stem. If inputs share a stem, their folders (below
 * their common folder) come before it; if this is equal too, they keep their extension: `a/cat`,
 * `b/cat`, `cat.jpg`, `cat.png`. No two inputs get the same name.
 */
export function resultNames(files: readonly string[]): Map<string, string> {
  const result = new Map<string, string>();
  for (const group of groupBy(files, stemOf)) {
    const [only] = group;
    if (only !== undefined && group.length === 1) {
      result.set(only, stemOf(only));
      continue;
    }
    const common = commonFolder(group);
    const long = (file: string) => slashes(relative(common, resolve(file)));
    const withoutEnding = (file: string) => long(file).slice(0, -extname(file).length || undefined);
    for (const same of groupBy(group, withoutEnding)) {
      for (const file of same)
        result.set(file, same.length === 1 ? withoutEnding(file) : long(file));
    }
  }
  return distinct(result);
}

/** Adds a number to names that are still equal (`a.jpg` and a stem `a.jpg`). */
function distinct(wanted: Map<string, string>): Map<string, string> {
  const taken = new Set<string>();
  for (const [file, name] of wanted) {
    let unique = name;
    for (let n = 2; taken.has(sameFile(unique)); n++) unique = `${name}-${n}`;
    taken.add(sameFile(unique));
    wanted.set(file, unique);
  }
  return wanted;
}
