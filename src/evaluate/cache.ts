import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import type { MethodRun } from '../explain.ts';
import type { Explanation, Manifest } from '../explanation.ts';
import { parseJson } from '../json.ts';
import type { Model } from '../model/model.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import type { PreparedInput } from '../prepare-input.ts';
import { sha256 } from '../sha256.ts';
import { decodeNpy, encodeNpy } from '../tensor/npy.ts';
import { VERSION } from '../version.ts';
import { readIfThere } from './store.ts';

/** What a map depends on, and nothing else. */
export interface CacheRequest {
  readonly model: Model;
  readonly prepared: PreparedInput;
  readonly target: number;
  readonly run: MethodRun;
  readonly seed: number;
}

/** A map as the cache keeps it. */
export type CachedExplanation = Pick<Explanation, 'map' | 'target' | 'manifest' | 'seconds'>;

/** The folder of maps in a folder of results; undefined if nothing is written. */
export const cacheFolder = (folder: string | undefined): string | undefined =>
  folder === undefined ? undefined : join(folder, 'explanations');

/**
 * Names a map by everything it depends on: version, model, preprocessing, picture, class, method,
 * options, seed.
 */
export async function cacheKey(request: CacheRequest): Promise<string> {
  const { model, prepared, target, run, seed } = request;
  const parts = [
    VERSION,
    model.fingerprint,
    model.preprocessing,
    prepared.sha256,
    target,
    run.method.name,
    run.options,
    seed,
  ];
  return sha256(new TextEncoder().encode(JSON.stringify(parts)));
}

/** The files of a map: the map itself, and what is known of it. */
const pathsOf = (folder: string, key: string) => ({
  map: join(folder, `${key}.npy`),
  manifest: join(folder, `${key}.json`),
});

interface Facts {
  readonly seconds: number;
  readonly manifest: Manifest;
}

/** The checksum of the bytes of a map and of what is known of it. */
function checksum(map: Uint8Array, { seconds, manifest }: Facts): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify({ seconds, manifest }));
  const all = new Uint8Array(map.length + text.length);
  all.set(map);
  all.set(text, map.length);
  return sha256(all);
}

/**
 * A map that was made before. Undefined if there is none, if a file of it is missing, or if its
 * checksum is wrong: then the map is made again.
 */
export async function readCached(
  folder: string | undefined,
  key: string,
): Promise<CachedExplanation | undefined> {
  if (folder === undefined) return undefined;
  const paths = pathsOf(folder, key);
  const text = await readIfThere(paths.manifest);
  if (text === undefined) return undefined;
  try {
    const facts = parseJson(text) as Facts & { readonly sha256: string };
    const bytes = await readFile(paths.map);
    if ((await checksum(bytes, facts)) !== facts.sha256) return undefined;
    const { seconds, manifest } = facts;
    return { map: decodeNpy(bytes, paths.map), target: manifest.target, manifest, seconds };
  } catch {
    return undefined; // damaged or half removed
  }
}

/**
 * Keeps a map with its checksum; does nothing without a folder. The manifest is written last, so
 * that a map with a manifest is complete.
 * @throws FoveaError `output` if it cannot be written.
 */
export async function writeCached(
  folder: string | undefined,
  key: string,
  { map, manifest, seconds }: CachedExplanation,
): Promise<void> {
  if (folder === undefined) return;
  if (map.shape.length !== 2)
    throw new FoveaError('internal', `a map of shape ${map.shape.join('×')} for the cache`);
  const paths = pathsOf(folder, key);
  const bytes = encodeNpy(map);
  const facts = { seconds, manifest };
  const line = JSON.stringify({ sha256: await checksum(bytes, facts), ...facts });
  await writeFileAtomic(paths.map, bytes);
  await writeFileAtomic(paths.manifest, `${line}\n`);
}
