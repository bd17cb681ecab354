import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestCache } from '../model/remote/transport.ts';
import { writeFileAtomic } from './write-file.ts';

/** A response with the scores of a batch is far smaller. */
const MOST_BYTES = 64 * 2 ** 20;

/**
 * Keeps the responses of model servers in a folder, one file per request, named by the SHA-256 of
 * the model and the request. Nothing is ever deleted: delete the folder to ask the server again.
 * @param folder - made when the first response is kept
 */
export function createRequestCache(folder: string): RequestCache {
  const pathOf = (key: string) => join(folder, key.slice(0, 2), `${key}.json`);
  return {
    async get(key) {
      try {
        const { size } = await stat(pathOf(key));
        return size <= MOST_BYTES ? await readFile(pathOf(key), 'utf8') : undefined;
      } catch {
        return undefined; // not there
      }
    },
    async set(key, answer) {
      await writeFileAtomic(pathOf(key), answer).catch(() => undefined); // only costs a request
    },
  };
}
