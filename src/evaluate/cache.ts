import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import type { PreparedInput } from '../explain.ts';
import type { Explanation, Manifest } from '../explanation.ts';
import type { Method } from '../methods/method.ts';
import type { Model } from '../model/model.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import { parseOptions } from '../options.ts';
import { sha256 } from '../sha256.ts';
import { decodeNpy, encodeNpy } from '../tensor/npy.ts';
import { VERSION } from '../version.ts';
import { readIfThere } from './store.ts';

/** What a map depends on, and nothing else. */
export interface CacheRequest {
  readonly model: Model;
  readonly prepared: PreparedInput;
  readonly target: number;
  readonly method: Method;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

/** A map as the cache keeps it. */
export type CachedExplanation = Pick<Explanation, 'map' | 'target' | 'manifest' | 'seconds'>;

/**
 * Names a map by everything it depends on: version, model, preprocessing, picture, class, method,
 * options, seed.
 */
export async function cacheKey({
  model,
  prepared,
  target,
  method,
  options,
  seed,
}: CacheRequest): Promise<string> {
  const parts = [
    VERSION,
    model.fingerprint,
    model.preprocessing,
    prepared.sha256,
    target,
    method.name,
    parseOptions(method, options),
    seed,
  ];
  return sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

/** The files of a map: the map itself, and beside it what is known of it. */
const pathsOf = (folder: string, key: string) => ({
  map: join(folder, `${key}.npy`),
  manifest: join(folder, `${key}.json`),
});

/** A map that was made before, if it is there whole. */
export async function readCached(
  folder: string,
  key: string,
): Promise<CachedExplanation | undefined> {
  const paths = pathsOf(folder, key);
  const text = await readIfThere(paths.manifest);
  if (text === undefined) return undefined;
  try {
    const { seconds, manifest } = JSON.parse(text) as { seconds: number; manifest: Manifest };
    return {
      map: decodeNpy(await readFile(paths.map), paths.map),
      target: manifest.target,
      manifest,
      seconds,
    };
  } catch {
    return undefined; // damaged or half removed: it is made again
  }
}

/**
 * Keeps a map; the manifest last, so that a map with manifest is whole.
 * @throws FoveaError `output` if it cannot be written.
 */
export async function writeCached(
  folder: string,
  key: string,
  { map, manifest, seconds }: CachedExplanation,
): Promise<void> {
  if (map.shape.length !== 2)
    throw new FoveaError('internal', `a map of shape ${map.shape.join('×')} for the cache`);
  const paths = pathsOf(folder, key);
  await writeFileAtomic(paths.map, encodeNpy(map));
  await writeFileAtomic(paths.manifest, `${JSON.stringify({ seconds, manifest })}\n`);
}
