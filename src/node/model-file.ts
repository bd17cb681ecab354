import { open, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';

const MOST_BYTES_A_READ = 2 ** 30;

/**
 * Reads a whole file, also beyond the 2 GB that `readFile` can read.
 * @param most - the largest size in bytes that is read
 * @throws FoveaError `model` for a larger file, a pipe, a device or a folder.
 */
export async function readBytes(
  path: string,
  most = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  const entry = await stat(path);
  if (!entry.isFile()) throw new FoveaError('model', `${path} is not a regular file`);
  if (entry.size > most)
    throw new FoveaError('model', `${path} has ${entry.size} bytes: expected at most ${most}`);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(MOST_BYTES_A_READ, size - at), at);
      if (bytesRead === 0)
        throw new FoveaError('model', `${path} became shorter while it was read`);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** Whether an error means that a file does not exist. */
export const isMissing = (error: unknown): boolean =>
  ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');

/** The error for a model file that cannot be read. */
export function unreadable(path: string, error: unknown): FoveaError {
  if (error instanceof FoveaError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (isMissing(error)) return new FoveaError('model', `${path} does not exist`, { cause: error });
  const what = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : messageOf(error);
  return new FoveaError('model', `${path} cannot be read: ${what}`, { cause: error });
}

const isInside = (folder: string, path: string): boolean =>
  !`${relative(folder, path)}${sep}`.startsWith(`..${sep}`) && relative(folder, path) !== path;

/**
 * The folders that may contain weights of a model, after links are followed: its own folder, and
 * `blobs` in the cache of Hugging Face, because the snapshots there are links to it.
 */
function allowedFolders(folder: string): string[] {
  const [, cache] = /^(.*[\\/]models--[^\\/]+)[\\/]snapshots[\\/]/.exec(folder + sep) ?? [];
  return cache === undefined ? [folder] : [folder, join(cache, 'blobs')];
}

/**
 * Reads a file with weights of a model in `folder`; undefined if there is none.
 * @throws FoveaError `model` if it is a link that leads out of the folder, or cannot be read.
 */
export async function readWeights(folder: string, file: string): Promise<Uint8Array | undefined> {
  const path = join(folder, file);
  try {
    const [root, target] = await Promise.all([realpath(folder), realpath(path)]);
    if (!allowedFolders(root).some((allowed) => isInside(allowed, target)))
      throw new FoveaError(
        'model',
        `${path} is a link to ${target}, outside the model's folder, which is refused`,
      );
    return await readBytes(target);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw unreadable(path, error);
  }
}
