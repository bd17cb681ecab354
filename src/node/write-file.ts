import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOENT: 'no folder can be made there',
  EEXIST: 'there is a file where a folder is needed',
  EISDIR: 'there is a folder in its place',
  ENOTEMPTY: 'there is a folder in its place',
  ENAMETOOLONG: 'the name is too long',
  EFBIG: 'the file would be larger than allowed',
  EMFILE: 'too many files are open',
  EIO: 'the disk reports an error',
};

/** The error for a failed write. */
export function writeError(path: string, cause: unknown): FoveaError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
  return new FoveaError('output', `cannot write ${path}: ${REASONS[code] ?? messageOf(cause)}`, {
    cause,
  });
}

/**
 * Makes a folder and its parents. Node's recursive `mkdir` never returns if the system reports "no
 * such file" below an existing folder, as it does under /proc.
 */
async function makeFolder(folder: string): Promise<void> {
  const isFolder = (path: string) =>
    stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await isFolder(folder))) return;
    if (code !== 'ENOENT' || (await isFolder(dirname(folder)))) throw error;
    await makeFolder(dirname(folder));
    await makeFolder(folder);
  }
}

/** Writes bytes to a new file. Tests pass a function that fails as a full disk does. */
export type WriteBytes = (path: string, bytes: Uint8Array | string) => Promise<void>;

/** Fails if the path exists, even as a link, so that it never writes through a link. */
const writeNew: WriteBytes = (path, bytes) => writeFile(path, bytes, { flag: 'wx' });

/** A unique path beside a file, which no process on any machine uses. */
function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 13)}.tmp`);
}

/**
 * Writes a file completely or not at all: it writes a temporary file beside it, and renames it. It
 * makes the folder if needed.
 * @throws FoveaError `output` naming the file and the reason; no temporary file is left.
 */
export async function writeFileAtomic(
  path: string,
  bytes: Uint8Array | string,
  write: WriteBytes = writeNew,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    await makeFolder(dirname(path));
    await write(temporary, bytes);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw writeError(path, cause);
  }
}

/**
 * Makes a folder and checks that files can be written to it, before the results are computed.
 * @throws FoveaError `output` naming the folder and the reason.
 */
export async function requireWritableFolder(
  folder: string,
  write: WriteBytes = writeNew,
): Promise<void> {
  const probe = temporaryName(join(folder, 'fovea'));
  try {
    await makeFolder(folder);
    await write(probe, '');
  } catch (cause) {
    throw writeError(folder, cause);
  } finally {
    await rm(probe, { force: true }).catch(() => {});
  }
}
