import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestCache } from '../model/remote/transport.ts';
import { writeFileAtomic } from './write-file.ts';

/** The largest response that is read, in bytes; scores of a batch are far smaller. */
const MOST_BYTES = 64 * 2 ** 20;

/**
 * A cache of responses of model servers in a folder. Each request has one file, named by the
 * SHA-256 of the model and the request. Nothing is deleted; to send all requests again, delete the
 * folder.
 * @param folder - created with the first response
 */
export function createRequestCache(folder: string): RequestCache {
  const pathOf = (key: string) => join(folder, key.slice(0, 2), `${key}.json`);
  return {
    async get(key) {
      try {
        const { size } = await stat(pathOf(key));
        return size <= MOST_BYTES ? await readFile(pathOf(key), 'utf8') : undefined;
      } catch {
        return undefined; // there is no such file
      }
    },
    async set(key, answer) {
      // After a failure, the same request is only made again.
      await writeFileAtomic(pathOf(key), answer).catch(() => undefined);
    },
  };
}
