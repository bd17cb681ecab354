import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';

/** What `downloadFile` needs to know beside the address. */
export interface DownloadOptions {
  /** How messages call the file. */
  readonly name: string;
  /**
   * Sent to the address itself; `authorization` is not passed on to another host it redirects to.
   */
  readonly headers?: Readonly<Record<string, string>>;
  readonly onProgress?: (bytes: number, total: number | undefined) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds before the second attempt; doubled for each one after it. 500 by default. */
  readonly retryDelay?: number;
  /**
   * What an HTTP status that is no success means: a sentence, or `absent` if the file may be
   * missing.
   */
  readonly explain: (status: number, headers: Headers) => string;
}

/** How a download ended. */
export interface DownloadResult {
  /** False if the server does not have the file. */
  readonly found: boolean;
  /** The commit of the repository, if the server says it. */
  readonly commit?: string;
}

const ATTEMPTS = 5;
const MOST_REDIRECTS = 8;
const LONGEST_WAIT = 30_000;
const LOCK_AGE = 24 * 3_600_000;
const TRANSIENT_STATUS = new Set([408, 416, 425, 429, 500, 502, 503, 504]);
const UNREACHABLE = new Set([
  'ENOTFOUND',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Worth another attempt. */
class Transient extends Error {
  readonly wait: number;
  constructor(message: string, wait = 0, cause?: unknown) {
    super(message, { cause });
    this.wait = wait;
  }
}

const cancelled = () =>
  new FoveaError(
    'cancelled',
    'the download was cancelled; what has arrived is kept and continued next time',
  );

let names = 0;

/** A name beside a file that nobody else writes to. */
export function uniqueName(path: string): string {
  names++;
  return `${path}.${process.pid}-${names}.part`;
}

interface Answer {
  readonly response: Response;
  /**
   * Of the file itself; a redirecting hub gives them on the redirect, where storage hosts say less.
   */
  readonly sha256?: string;
  readonly size?: number;
  readonly commit?: string;
}

/** The sha256 that an ETag is, or undefined: the hub's large files have their checksum as ETag. */
function sha256Of(headers: Headers): string | undefined {
  const tag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '')
    .replace(/^W\//, '')
    .replaceAll('"', '');
  return /^[0-9a-f]{64}$/i.test(tag) ? tag.toLowerCase() : undefined;
}

/** The system's code of a network failure; `fetch` hides it in the cause. */
function networkCode(error: unknown): string | undefined {
  const codes = [error, (error as Error).cause].map(
    (e) => (e as { code?: unknown } | undefined)?.code,
  );
  const inner = ((error as Error).cause as { errors?: { code?: string }[] } | undefined)
    ?.errors?.[0]?.code;
  return [...codes, inner].find((code): code is string => typeof code === 'string');
}

async function fetchOnce(
  url: URL,
  headers: Record<string, string>,
  { name, signal }: DownloadOptions,
): Promise<Response> {
  try {
    return await fetch(url, { headers, signal, redirect: 'manual' });
  } catch (error) {
    if (signal?.aborted) throw cancelled();
    const code = networkCode(error);
    if (code && UNREACHABLE.has(code)) {
      throw new FoveaError(
        'download',
        `${name} could not be fetched: ${url.host} cannot be reached (${code}); check the connection, or work offline with files that are already there`,
        { cause: error },
      );
    }
    throw new Transient(code ?? messageOf((error as Error).cause ?? error), 0, error);
  }
}

/**
 * GET with redirects followed by hand, for the headers on the way and to keep the token at home.
 */
async function get(
  address: string,
  range: Record<string, string>,
  options: DownloadOptions,
): Promise<Answer> {
  let url = new URL(address);
  const home = url.origin;
  let found: Omit<Answer, 'response'> = {};
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const own = url.origin === home ? options.headers : {};
    const response = await fetchOnce(
      url,
      { 'accept-encoding': 'identity', ...own, ...range },
      options,
    );
    const size = Number(response.headers.get('x-linked-size') ?? Number.NaN);
    found = {
      sha256: found.sha256 ?? sha256Of(response.headers),
      size: found.size ?? (Number.isFinite(size) ? size : undefined),
      commit: found.commit ?? response.headers.get('x-repo-commit') ?? undefined,
    };
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || response.status === 304 || !location)
      return { response, ...found };
    await response.body?.cancel();
    url = new URL(location, url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') break;
  }
  throw new FoveaError(
    'download',
    `${options.name} could not be fetched: the server redirects without end`,
  );
}

/**
 * A download under way: `FILE.part`, with the server's ETag beside it for as long as it can be
 * continued.
 */
interface Part {
  readonly path: string;
  readonly tagPath: string;
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

async function removePart(part: Part): Promise<void> {
  await Promise.all([rm(part.path, { force: true }), rm(part.tagPath, { force: true })]);
}

async function hashOf(path: string, length: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (length > 0)
    for await (const chunk of createReadStream(path, { end: length - 1 }))
      hash.update(chunk as Uint8Array);
  return hash;
}

/** What a failed write means to the user. */
export function diskError(error: unknown, path: string, needed?: number): FoveaError {
  const code = (error as NodeJS.ErrnoException).code;
  const folder = dirname(path);
  const megabytes = needed === undefined ? '' : `; ${Math.ceil(needed / 2 ** 20)} MB are needed`;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FoveaError(
      'download',
      `the disk is full, ${folder} takes no more${megabytes}: free some space, or set FOVEA_CACHE to a folder on another disk`,
      { cause: error },
    );
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new FoveaError(
      'download',
      `${folder} cannot be written (${code}): set FOVEA_CACHE to a folder that can`,
      { cause: error },
    );
  }
  return new FoveaError('download', `${path} could not be written: ${messageOf(error)}`, {
    cause: error,
  });
}

/** Fails early where the disk is known to be too small. */
async function checkSpace(path: string, needed: number): Promise<void> {
  const space = await statfs(dirname(path)).catch(() => undefined);
  if (space && space.blocks > 0 && needed > space.bavail * space.bsize)
    throw diskError({ code: 'ENOSPC' }, path, needed);
}

async function write(
  file: FileHandle,
  body: ReadableStream<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
  options: DownloadOptions,
): Promise<void> {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw options.signal?.aborted
        ? cancelled()
        : new Transient(networkCode(error) ?? 'the connection broke', 0, error);
    });
    if (done) return;
    await file.writeFile(value);
    onChunk(value);
  }
}

function waitOf(headers: Headers): number {
  const seconds = Number(headers.get('retry-after') ?? 0);
  return Number.isFinite(seconds) ? Math.min(LONGEST_WAIT, 1000 * seconds) : 0;
}

/** Throws for an answer without the file; false if the file is allowed to be missing. */
async function isFile(
  { response }: Answer,
  part: Part,
  options: DownloadOptions,
): Promise<boolean> {
  const { status, headers } = response;
  if ((status === 200 || status === 206) && response.body) return true;
  await response.body?.cancel();
  if (status === 416) await removePart(part);
  if (TRANSIENT_STATUS.has(status))
    throw new Transient(`the server answers HTTP ${status}`, waitOf(headers));
  const sentence = options.explain(status, headers);
  if (sentence === 'absent') return false;
  throw new FoveaError('download', sentence);
}

/** One attempt: continues the part where the server agrees that the file is still the same. */
async function attempt(
  address: string,
  part: Part,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const tag = await readFile(part.tagPath, 'utf8').catch(() => undefined);
  const have = tag === undefined ? 0 : await sizeOf(part.path);
  const answer = await get(
    address,
    have > 0 && tag ? { range: `bytes=${have}-`, 'if-range': tag } : {},
    options,
  );
  if (!(await isFile(answer, part, options))) return { found: false, commit: answer.commit };
  const { response, sha256, commit } = answer;
  const [, from] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (response.status === 206 && Number(from) !== have) {
    await removePart(part);
    throw new Transient('the server continued at another place than asked');
  }
  const start = response.status === 206 ? have : 0;
  const length = response.headers.has('content-length')
    ? Number(response.headers.get('content-length'))
    : undefined;
  const total = answer.size ?? (length === undefined ? undefined : start + length);
  await checkSpace(part.path, (total ?? 0) - start);
  const newTag = response.headers.get('etag');
  if (start === 0)
    await (newTag && !newTag.startsWith('W/')
      ? writeFile(part.tagPath, newTag)
      : rm(part.tagPath, { force: true }));
  const hash = await hashOf(part.path, start);
  let bytes = start;
  const file = await open(part.path, start > 0 ? 'a' : 'w');
  try {
    options.onProgress?.(bytes, total);
    await write(
      file,
      response.body as ReadableStream<Uint8Array>,
      (chunk) => {
        hash.update(chunk);
        bytes += chunk.length;
        options.onProgress?.(bytes, total);
      },
      options,
    );
    await file.sync();
  } finally {
    await file.close();
  }
  if (total !== undefined && bytes < total)
    throw new Transient(`the connection ended after ${bytes} of ${total} bytes`);
  await verify(part, options, {
    bytes,
    total,
    digest: hash.digest('hex'),
    sha256,
    resumed: start > 0,
  });
  return { found: true, commit };
}

/** What an attempt brought. */
interface Arrived {
  readonly bytes: number;
  readonly total: number | undefined;
  readonly digest: string;
  readonly sha256: string | undefined;
  readonly resumed: boolean;
}

async function verify(
  part: Part,
  { name }: DownloadOptions,
  { bytes, total, digest, sha256, resumed }: Arrived,
): Promise<void> {
  const isLonger = total !== undefined && bytes > total;
  if (!isLonger && (sha256 === undefined || sha256 === digest)) return;
  await removePart(part);
  const what = isLonger
    ? `${bytes} bytes instead of ${total}`
    : `sha256 ${digest} instead of ${sha256}`;
  if (resumed) throw new Transient(`it arrived damaged (${what})`);
  throw new FoveaError(
    'download',
    `${name} arrived damaged: ${what}; it was deleted, so try again, and if it stays so, the server's copy is broken`,
  );
}

/** True for the one process that may continue `FILE.part`; others load into a part of their own. */
async function lock(path: string): Promise<boolean> {
  for (const isLast of [false, true]) {
    try {
      await writeFile(path, String(process.pid), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isLast || !(await isStale(path))) return false;
      await rm(path, { force: true });
    }
  }
  return false;
}

async function isStale(path: string): Promise<boolean> {
  try {
    const [{ mtimeMs }, text] = await Promise.all([stat(path), readFile(path, 'utf8')]);
    if (Date.now() - mtimeMs > LOCK_AGE) return true;
    process.kill(Number(text), 0); // throws if that process is gone
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EPERM';
  }
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

async function withRetries(
  address: string,
  part: Part,
  options: DownloadOptions,
): Promise<DownloadResult> {
  for (let count = 1; ; count++) {
    if (options.signal?.aborted) throw cancelled();
    try {
      return await attempt(address, part, options);
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      if (count === ATTEMPTS) {
        throw new FoveaError(
          'download',
          `${options.name} could not be fetched in ${ATTEMPTS} attempts: ${error.message}; try again later, it goes on where it stopped`,
          { cause: error },
        );
      }
      await pause(
        Math.max(error.wait, (options.retryDelay ?? 500) * 2 ** (count - 1)),
        options.signal,
      );
    }
  }
}

/**
 * Fetches a file to `target`, which appears only when it is complete and its checksum is right.
 * What arrives before a connection breaks is kept in `target.part` and continued, in this call and
 * in later ones.
 * @throws FoveaError `download`, or `cancelled` if the signal fires.
 */
export async function downloadFile(
  address: string,
  target: string,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const lockPath = `${target}.lock`;
  let mine = false;
  let part: Part = { path: `${target}.part`, tagPath: `${target}.part.etag` };
  try {
    await mkdir(dirname(target), { recursive: true });
    mine = await lock(lockPath);
    if (!mine) {
      const own = uniqueName(target);
      part = { path: own, tagPath: `${own}.etag` };
    }
    const result = await withRetries(address, part, options);
    if (result.found) await rename(part.path, target);
    await rm(part.tagPath, { force: true });
    return result;
  } catch (error) {
    if (!mine) await removePart(part).catch(() => undefined);
    throw error instanceof FoveaError ? error : diskError(error, target);
  } finally {
    if (mine) await rm(lockPath, { force: true });
  }
}
