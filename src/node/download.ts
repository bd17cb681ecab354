import { createHash, type Hash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { FoveaError } from '../errors.ts';
import { pause } from '../pause.ts';
import { retryAfter } from '../retry-after.ts';
import { checkSpace, diskError } from './disk-error.ts';
import {
  type Answer,
  cancelled,
  type GetOptions,
  get,
  lengthIn,
  networkCode,
  Transient,
} from './http-get.ts';
import { lock } from './lock.ts';

/** The longest wait that a server may ask for, in milliseconds. */
const LONGEST_WAIT = 30_000;

/** Options of `downloadFile`. */
export interface DownloadOptions extends GetOptions {
  readonly onProgress?: (bytes: number, total: number | undefined) => void;
  /** Milliseconds before the second attempt; doubled for each one after it. 500 by default. */
  readonly retryDelay?: number;
  /** The largest file that is accepted, in bytes; 64 GB by default. */
  readonly limit?: number;
  /**
   * Returns the message for an HTTP status that is not a success, or `absent` if the file may be
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
const MOST_BYTES = 64 * 2 ** 30;
const TRANSIENT_STATUS = new Set([408, 416, 425, 429, 500, 502, 503, 504]);

/** A unique path beside a file, which no other process uses. */
export function uniqueName(path: string): string {
  return `${path}.${randomUUID().slice(0, 13)}.part`;
}

/**
 * An unfinished download: `FILE.part`, with the server's ETag beside it as long as it can be
 * continued.
 */
interface Part {
  readonly path: string;
  readonly tagPath: string;
}

/** The bytes of a part that can be continued; 0 for a link, which might lead to another file. */
async function sizeOf(path: string): Promise<number> {
  return lstat(path).then(
    (entry) => (entry.isFile() && entry.nlink === 1 ? entry.size : 0),
    () => 0,
  );
}

async function removePart(part: Part): Promise<void> {
  await Promise.all([rm(part.path, { force: true }), rm(part.tagPath, { force: true })]);
}

/** Opens a part for more bytes. A part that begins is always a new file. */
async function openPart({ path }: Part, start: number): Promise<FileHandle> {
  if (start > 0) return open(path, constants.O_WRONLY | constants.O_APPEND | noFollow);
  await rm(path, { force: true });
  return open(path, 'wx');
}

/** Windows has no such flag; there only `sizeOf` checks for links. */
const noFollow = constants.O_NOFOLLOW ?? 0;

async function writeTag({ tagPath }: Part, tag: string | null): Promise<void> {
  await rm(tagPath, { force: true });
  if (tag && !tag.startsWith('W/')) await writeFile(tagPath, tag, { flag: 'wx' });
}

async function readTag({ tagPath }: Part): Promise<string | undefined> {
  if ((await sizeOf(tagPath)) === 0) return undefined;
  return readFile(tagPath, 'utf8').catch(() => undefined);
}

async function hashOf({ path }: Part, length: number): Promise<Hash> {
  const hash = createHash('sha256');
  if (length === 0) return hash;
  const file = await open(path, constants.O_RDONLY | noFollow);
  for await (const chunk of file.createReadStream({ end: length - 1 }))
    hash.update(chunk as Uint8Array);
  return hash;
}

async function write(
  file: FileHandle,
  body: ReadableStream<Uint8Array>,
  onChunk: (chunk: Uint8Array) => void,
  options: DownloadOptions,
): Promise<void> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw options.signal?.aborted
          ? cancelled()
          : new Transient(networkCode(error) ?? 'the connection broke', 0, error);
      });
      if (done) return;
      onChunk(value); // throws before more than the stated length is written
      await file.writeFile(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Whether a response has the file; false if the file may be missing. Throws otherwise. */
async function isFile(
  { response }: Answer,
  part: Part,
  options: DownloadOptions,
): Promise<boolean> {
  const { status, headers } = response;
  const isHtml = /^\s*text\/html\b/i.test(headers.get('content-type') ?? '');
  if ((status === 200 || status === 206) && response.body && !isHtml) return true;
  await response.body?.cancel();
  if (status === 200 && isHtml) throw webPage(options);
  if (status === 416) await removePart(part);
  if (TRANSIENT_STATUS.has(status))
    throw new Transient(`the server returned HTTP ${status}`, retryAfter(headers, LONGEST_WAIT));
  const sentence = options.explain(status, headers);
  if (sentence === 'absent') return false;
  throw new FoveaError('download', sentence);
}

/** The error of a server, a proxy or a login page that sends HTML instead of the file. */
const webPage = ({ name }: DownloadOptions) =>
  new FoveaError(
    'download',
    `${name} could not be fetched: a web page (HTML) came instead; check the address of the ` +
      'hub, and whether a proxy or a login page is in between',
  );

const looksLikeHtml = (bytes: Uint8Array): boolean =>
  /^\s*(<!doctype html|<html)/i.test(new TextDecoder('latin1').decode(bytes.subarray(0, 200)));

/** The part of the file that a response will contain. */
interface Delivery {
  readonly start: number;
  /** Bytes of the whole file; undefined if the server does not say. */
  readonly total: number | undefined;
  readonly sha256: string | undefined;
}

/**
 * The position at which a response begins, and the length of the file.
 * @throws FoveaError `download` if it is longer than allowed.
 */
async function deliveryOf(
  { response, sha256, size }: Answer,
  have: number,
  part: Part,
  { name, limit = MOST_BYTES }: DownloadOptions,
): Promise<Delivery> {
  const [, from] = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (response.status === 206 && Number(from) !== have) {
    await removePart(part);
    throw new Transient('the server continued at another position than requested');
  }
  const start = response.status === 206 ? have : 0;
  const length = lengthIn(response.headers, 'content-length');
  const total = size ?? (length === undefined ? undefined : start + length);
  if (total !== undefined && total > limit)
    throw new FoveaError('download', `${name} has ${total} bytes: at most ${limit} are accepted`);
  await checkSpace(part.path, (total ?? 0) - start);
  return { start, total, sha256 };
}

/** One attempt. It continues the part if the server says that the file has not changed. */
async function attempt(
  address: string,
  part: Part,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const tag = await readTag(part);
  const have = tag === undefined ? 0 : await sizeOf(part.path);
  const range: Record<string, string> =
    have > 0 && tag ? { range: `bytes=${have}-`, 'if-range': tag } : {};
  const answer = await get(address, range, options);
  const { response, commit } = answer;
  if (!(await isFile(answer, part, options)) || !response.body) return { found: false, commit };
  const delivery = await deliveryOf(answer, have, part, options);
  if (delivery.start === 0) await writeTag(part, response.headers.get('etag'));
  await receive(response.body, part, delivery, options);
  return { found: true, commit };
}

/**
 * Writes the body of a response to the part, and never more than the stated length.
 * @throws FoveaError `download` if the file is not the announced one, Transient if the connection
 * breaks.
 */
async function receive(
  body: ReadableStream<Uint8Array>,
  part: Part,
  { start, total, sha256 }: Delivery,
  options: DownloadOptions,
): Promise<void> {
  const hash = await hashOf(part, start);
  const most = total ?? options.limit ?? MOST_BYTES;
  let bytes = start;
  const take = (chunk: Uint8Array) => {
    if (bytes === 0 && looksLikeHtml(chunk)) throw webPage(options);
    bytes += chunk.length;
    if (bytes > most) throw new TooLong(`more than the ${most} bytes that were stated`);
    hash.update(chunk);
    options.onProgress?.(bytes, total);
  };
  const file = await openPart(part, start);
  try {
    options.onProgress?.(bytes, total);
    await write(file, body, take, options);
    await file.sync();
  } catch (error) {
    if (error instanceof TooLong) await refuseDamaged(part, options, error.message, start > 0);
    if (error instanceof FoveaError && error.code !== 'cancelled') await removePart(part);
    throw error;
  } finally {
    await file.close();
  }
  if (total !== undefined && bytes < total)
    throw new Transient(`the connection ended after ${bytes} of ${total} bytes`);
  const digest = hash.digest('hex');
  if (sha256 !== undefined && sha256 !== digest)
    await refuseDamaged(part, options, `sha256 ${digest} instead of ${sha256}`, start > 0);
}

/** The server sent more bytes than it had stated. */
class TooLong extends Error {}

/** Deletes a damaged part and throws. A continued part may have been of another file: try again. */
async function refuseDamaged(
  part: Part,
  { name }: DownloadOptions,
  what: string,
  resumed: boolean,
): Promise<never> {
  await removePart(part);
  if (resumed) throw new Transient(`it arrived damaged (${what})`);
  throw new FoveaError(
    'download',
    `${name} arrived damaged: ${what}; it was deleted, so try again; if it happens again, the ` +
      `server's copy is broken`,
  );
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
          `${options.name} could not be fetched in ${ATTEMPTS} attempts: ${error.message}; ` +
            'try again later; it continues where it stopped',
          { cause: error },
        );
      }
      await pause(
        Math.max(error.wait, (options.retryDelay ?? 500) * 2 ** (count - 1)),
        options.signal,
        cancelled,
      );
    }
  }
}

/**
 * Downloads a file to `target`, which appears only when it is complete and its checksum is right.
 * If the connection breaks, the bytes so far stay in `target.part`, and this call or a later one
 * continues there. A web page instead of the file is refused.
 * @throws FoveaError `download`, or `cancelled` if the signal fires.
 */
export async function downloadFile(
  address: string,
  target: string,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const lockPath = `${target}.lock`;
  let release: (() => Promise<void>) | undefined;
  let part: Part = { path: `${target}.part`, tagPath: `${target}.part.etag` };
  try {
    await mkdir(dirname(target), { recursive: true });
    release = await lock(lockPath);
    if (!release) {
      const own = uniqueName(target);
      part = { path: own, tagPath: `${own}.etag` };
    }
    const result = await withRetries(address, part, options);
    if (result.found) await rename(part.path, target);
    await rm(part.tagPath, { force: true });
    return result;
  } catch (error) {
    if (!release) await removePart(part).catch(() => undefined);
    throw error instanceof FoveaError ? error : diskError(error, target);
  } finally {
    await release?.();
  }
}
