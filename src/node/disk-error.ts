import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';

/** The error for the user after a failed write to the cache. */
export function diskError(error: unknown, path: string, needed?: number): FoveaError {
  const code = (error as NodeJS.ErrnoException).code;
  const folder = dirname(path);
  const megabytes = needed === undefined ? '' : `; ${Math.ceil(needed / 2 ** 20)} MB are needed`;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FoveaError(
      'download',
      `${folder} has no space left: the disk is full${megabytes}; free some space, or set ` +
        'FOVEA_CACHE to a folder on another disk',
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new FoveaError(
      'download',
      `${folder} cannot be written (${code}): set FOVEA_CACHE to a folder that can be`,
      { cause: error },
    );
  }
  return new FoveaError('download', `${path} could not be written: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Throws before a download if the disk has too little space. */
export async function checkSpace(path: string, needed: number): Promise<void> {
  const space = await statfs(dirname(path)).catch(() => undefined);
  if (space && space.blocks > 0 && needed > space.bavail * space.bsize)
    throw diskError({ code: 'ENOSPC' }, path, needed);
}
