import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, posix } from 'node:path';
import { FoveaError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { MOST_JSON_BYTES } from '../model/files/model-files.ts';
import { externalDataFiles, readModel } from '../onnx/index.ts';
import { diskError } from './disk-error.ts';
import { downloadFile, uniqueName } from './download.ts';
import { readBytes } from './model-file.ts';

/** The progress of the file that is downloaded now. */
export interface DownloadProgress {
  /** Its path in the repository. */
  readonly file: string;
  readonly bytes: number;
  /** Undefined if the server does not say. */
  readonly total?: number;
}

/** Options of `fetchModelFiles`. */
export interface FetchModelOptions {
  /** The folder for files; `FOVEA_CACHE`, or the system's cache folder, by default. */
  readonly cacheDir?: string;
  /** Branch, tag or commit; `main` by default. */
  readonly revision?: string;
  /**
   * The model file, such as `onnx/model_quantized.onnx`; by default `onnx/model.onnx`, or else
   * `model.onnx`.
   */
  readonly file?: string;
  /** Whether to use no server; also set by `FOVEA_OFFLINE=1` or `HF_HUB_OFFLINE=1`. */
  readonly offline?: boolean;
  /** Address of the hub; `HF_ENDPOINT`, or Hugging Face's, by default. */
  readonly endpoint?: string;
  /** Access token for private and gated models; `HF_TOKEN` by default. */
  readonly token?: string;
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds before a failed request is tried again; doubled each time. 500 by default. */
  readonly retryDelay?: number;
}

/** A model of the hub on this machine. */
export interface FetchedModel {
  /**
   * The folder with `config.json`, `preprocessor_config.json` and the model, as in the repository.
   */
  readonly folder: string;
  /** The model file, relative to the folder. */
  readonly file: string;
}

/**
 * Facts about a repository that are stored in the cache: its commit, so that all files have one
 * version, and the files that it does not have.
 */
interface Snapshot {
  commit?: string;
  absent: string[];
}

const isSet = (name: string): boolean => /^(1|true|yes|on)$/i.test(process.env[name] ?? '');

/** The default folder of models: `FOVEA_CACHE`, or `fovea` in the system's cache folder. */
export function defaultCacheDir(): string {
  if (process.env.FOVEA_CACHE) return process.env.FOVEA_CACHE;
  if (process.platform === 'win32')
    return join(process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'fovea');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'fovea');
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fovea');
}

/** Whether a text has the form of a hub id, `organisation/name`. */
export function isHubId(text: string): boolean {
  return /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text) && !text.includes('..');
}

/**
 * The folder of a model's files: `CACHE/hub/organisation--name/revision`. Paths below it are those
 * of the repository.
 */
export function modelFolder(id: string, revision: string, cacheDir: string): string {
  const safe = revision.replace(/[^\w.-]/g, '-').replace(/^\.+/, '-');
  return join(cacheDir, 'hub', id.replace('/', '--'), safe);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );
}

/** One repository at one revision, on the hub and in the cache. */
interface Repository {
  readonly id: string;
  readonly revision: string;
  readonly folder: string;
  readonly endpoint: string;
  readonly offline: boolean;
  readonly snapshot: Snapshot;
  /** Whether an earlier call fixed the commit. */
  readonly pinned: boolean;
  readonly options: FetchModelOptions;
}

const snapshotFile = (folder: string): string => join(folder, '.fovea.json');

const isCommit = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{40}$/.test(value);

async function readSnapshot(folder: string): Promise<Snapshot> {
  try {
    const { commit, absent } = parseJson(await readFile(snapshotFile(folder), 'utf8')) as Record<
      keyof Snapshot,
      unknown
    >;
    return {
      ...(isCommit(commit) && { commit }),
      absent: Array.isArray(absent) ? absent.filter((path) => typeof path === 'string') : [],
    };
  } catch {
    return { absent: [] };
  }
}

async function writeSnapshot({ folder, snapshot }: Repository): Promise<void> {
  const path = snapshotFile(folder);
  const draft = uniqueName(path);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(draft, `${JSON.stringify(snapshot)}\n`, { flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    throw diskError(error, path);
  }
}

/**
 * The message for an HTTP status of the hub, or `absent` for a file that the repository does not
 * have.
 */
function explain(
  { id, revision, endpoint }: Repository,
  path: string,
  status: number,
  headers: Headers,
): string {
  const reason = headers.get('x-error-code');
  const host = new URL(endpoint).host;
  if (reason === 'RevisionNotFound')
    return `${id} has no revision "${revision}": expected a branch, tag or commit of it`;
  if (reason === 'GatedRepo')
    return (
      `${id} is gated (HTTP ${status}): accept its terms on its page at ${host}, and set ` +
      'HF_TOKEN to a token of that account'
    );
  if (reason === 'RepoNotFound' || status === 401) {
    return (
      `${id} does not exist at ${host} or is private (HTTP ${status}): check the name, or set ` +
      'HF_TOKEN to a token that may read it'
    );
  }
  if (status === 403)
    return (
      `${host} refuses ${id}/${path} (HTTP 403): set HF_TOKEN to a token that may read it, ` +
      `and accept the model's terms on its page`
    );
  return status === 404 || status === 410
    ? 'absent'
    : `${id}/${path} could not be fetched: ${host} returned HTTP ${status}`;
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** Checks that a file is JSON. Deletes it otherwise, so that the next run does not use it. */
async function requireJson({ id, endpoint }: Repository, path: string, target: string) {
  try {
    parseJson(await readFile(target, 'utf8'));
  } catch (cause) {
    await rm(target, { force: true });
    throw new FoveaError(
      'download',
      `${id}/${path} is not JSON, so it was not kept: check what ${new URL(endpoint).host} ` +
        'sends for it',
      { cause },
    );
  }
}

/**
 * Makes sure that a file of the repository is in the cache. Returns false if the repository does
 * not have it.
 */
async function ensure(repository: Repository, path: string): Promise<boolean> {
  const { id, revision, folder, endpoint, offline, snapshot, options } = repository;
  const target = join(folder, ...path.split('/'));
  if (await exists(target)) return true;
  if (offline || snapshot.absent.includes(path)) return false;
  const token = options.token ?? process.env.HF_TOKEN;
  const page = `${endpoint.replace(/\/+$/, '')}/${id}`;
  const version = encodeURIComponent(snapshot.commit ?? revision);
  const address = `${page}/resolve/${version}/${encodePath(path)}`;
  const isJson = path.endsWith('.json');
  const { found, commit } = await downloadFile(address, target, {
    name: `${id}/${path}`,
    ...(isJson && { limit: MOST_JSON_BYTES }),
    headers: { 'user-agent': 'fovea', ...(token && { authorization: `Bearer ${token}` }) },
    onProgress: (bytes, total) => options.onProgress?.({ file: path, bytes, total }),
    signal: options.signal,
    retryDelay: options.retryDelay,
    explain: (status, headers) => explain(repository, path, status, headers),
  });
  if (found && isJson) await requireJson(repository, path, target);
  if (isCommit(commit)) snapshot.commit ??= commit;
  if (!found) snapshot.absent.push(path);
  if (snapshot.commit) await writeSnapshot(repository);
  return found;
}

function missing(
  { id, revision, folder, offline, endpoint, pinned, snapshot }: Repository,
  paths: readonly string[],
): FoveaError {
  const files = paths.join(' or ');
  if (offline) {
    return new FoveaError(
      'download',
      `offline, and ${files} of ${id} (${revision}) is not in the cache (${folder}): fetch ` +
        'it once with a connection, without FOVEA_OFFLINE or HF_HUB_OFFLINE',
    );
  }
  const advice = pinned
    ? `; this is its commit ${snapshot.commit?.slice(0, 8)}, delete ${folder} to use the newest`
    : '';
  return new FoveaError(
    'download',
    `${id} (${revision}) has no ${files} at ${new URL(endpoint).host}: expected a model in ` +
      `ONNX format; give the name of its file if it is another one${advice}`,
  );
}

/** Downloads the files with weights that the model names, which are beside it. */
async function ensureExternalData(repository: Repository, file: string): Promise<void> {
  const model = readModel(await readBytes(join(repository.folder, file)));
  for (const name of externalDataFiles(model)) {
    const path = posix.normalize(posix.join(posix.dirname(file), name));
    if (path.startsWith('..') || posix.isAbsolute(name) || name.includes('\\')) {
      throw new FoveaError(
        'model',
        `${repository.id}: the model names weights outside its folder (${name}), which is refused`,
      );
    }
    if (!(await ensure(repository, path))) throw missing(repository, [path]);
  }
}

function checkPath(file: string): string {
  const path = posix.normalize(file);
  if (
    path.startsWith('..') ||
    posix.isAbsolute(path) ||
    path.includes('\\') ||
    !path.endsWith('.onnx')
  ) {
    throw new FoveaError(
      'usage',
      `"${file}": expected the path of an .onnx file in the repository, such as ` +
        'onnx/model_quantized.onnx',
    );
  }
  return path;
}

/**
 * The address of the hub: as given, `HF_ENDPOINT`, or Hugging Face's.
 * @throws FoveaError `usage` if it is not an address.
 */
export function hubAddress(options: Pick<FetchModelOptions, 'endpoint'> = {}): string {
  const endpoint = options.endpoint ?? (process.env.HF_ENDPOINT || 'https://huggingface.co');
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw new FoveaError('usage', `HF_ENDPOINT "${endpoint}": expected an http or https address`);
  return endpoint;
}

/**
 * Makes sure that a model of the Hugging Face hub is on this machine: `config.json`,
 * `preprocessor_config.json`, the ONNX file and its external data. Files in the cache are used
 * without a request to the server; delete the folder to download them again. All files are from the
 * commit of the first one.
 * @throws FoveaError `download` saying what is missing or why, `usage` for an impossible id,
 * `cancelled` if the signal fires.
 */
export async function fetchModelFiles(
  id: string,
  options: FetchModelOptions = {},
): Promise<FetchedModel> {
  if (!isHubId(id))
    throw new FoveaError('usage', `"${id}" is not a hub id: expected organisation/name`);
  const { revision = 'main', cacheDir = defaultCacheDir() } = options;
  const folder = modelFolder(id, revision, cacheDir);
  const offline = options.offline ?? (isSet('FOVEA_OFFLINE') || isSet('HF_HUB_OFFLINE'));
  const snapshot = await readSnapshot(folder);
  const repository: Repository = {
    id,
    revision,
    folder,
    offline,
    endpoint: hubAddress(options),
    snapshot,
    pinned: snapshot.commit !== undefined,
    options,
  };
  const candidates =
    options.file === undefined ? ['onnx/model.onnx', 'model.onnx'] : [checkPath(options.file)];
  for (const path of ['config.json', 'preprocessor_config.json']) await ensure(repository, path);
  for (const file of candidates) {
    if (!(await ensure(repository, file))) continue;
    await ensureExternalData(repository, file);
    return { folder, file };
  }
  throw missing(repository, candidates);
}
