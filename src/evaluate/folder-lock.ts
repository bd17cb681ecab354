import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import { isLocked, lock, STALE_MS } from '../node/lock.ts';
import { writeError } from '../node/write-file.ts';

const PREFIX = '.evaluating';
const nameOf = (part: string | undefined): string =>
  part === undefined ? PREFIX : `${PREFIX}.${part}`;
const isLock = (name: string): boolean => /^\.evaluating(\.[\w-]+)?$/.test(name);

function refuse(folder: string, path: string): never {
  throw new FoveaError(
    'usage',
    `another evaluation is writing to ${folder}: wait until it ends, or take another folder ` +
      `(if it was stopped on another machine, try again in ${STALE_MS / 60_000} minutes ` +
      `or delete ${path})`,
  );
}

/**
 * The locks that exclude this one. The whole data set excludes every part, and a part the whole.
 */
async function rivals(folder: string, part: string | undefined): Promise<string[]> {
  const own = nameOf(part);
  const names = (await readdir(folder)).filter((name) => isLock(name) && name !== own);
  return names.filter((name) => part === undefined || name === PREFIX);
}

/**
 * Locks a folder for one evaluation, or for one part of it. Several parts may hold their locks at
 * the same time; a part and the whole may not. Returns a function that releases the lock.
 * @throws FoveaError `usage` if another evaluation writes to the folder, `output` if the lock
 * cannot be written.
 */
export async function lockFolder(folder: string, part?: string): Promise<() => Promise<void>> {
  const path = join(folder, nameOf(part));
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw writeError(folder, cause);
  });
  const release = await lock(path).catch((cause: unknown) => {
    throw writeError(path, cause);
  });
  if (!release) return refuse(folder, path);
  for (const name of await rivals(folder, part)) {
    if (!(await isLocked(join(folder, name)))) continue;
    await release();
    refuse(folder, join(folder, name));
  }
  return release;
}
