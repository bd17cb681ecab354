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

/** Everything that a map depends on. */
export interface CacheRequest {
  readonly model: Model;
  readonly prepared: PreparedInput;
  readonly target: number;
  readonly run: MethodRun;
  readonly seed: number;
}

/** A map as the cache stores it. */
export type CachedExplanation = Pick<Explanation, 'map' | 'target' | 'manifest' | 'seconds'>;

/** The folder of maps in a folder of results; undefined if nothing is written. */
export const cacheFolder = (folder: string | undefined): string | undefined =>
  folder === undefined ? undefined : join(folder, 'explanations');

/**
 * The key of a map: a SHA-256 of everything that the map depends on, which is version, model,
 * preprocessing, picture, class, method, options and seed.
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

/** The files of a map: the map itself, and its manifest. */
const pathsOf = (folder: string, key: string) => ({
  map: join(folder, `${key}.npy`),
  manifest: join(folder, `${key}.json`),
});

interface Facts {
  readonly seconds: number;
  readonly manifest: Manifest;
}

/** SHA-256 of the bytes of a map, its manifest and its seconds. */
function checksum(map: Uint8Array, { seconds, manifest }: Facts): Promise<string> {
  const text = new TextEncoder().encode(JSON.stringify({ seconds, manifest }));
  const all = new Uint8Array(map.length + text.length);
  all.set(map);
  all.set(text, map.length);
  return sha256(all);
}

/**
 * Reads a map from the cache. Returns undefined if there is none, if one of its files is missing,
 * or if its checksum is wrong. The caller then computes the map again.
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
    return undefined; // damaged, or one of the files is missing
  }
}

/**
 * Writes a map with its checksum to the cache; does nothing without a folder. It writes the
 * manifest last, so a map with a manifest is complete.
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
