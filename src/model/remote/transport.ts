import { FoveaError, messageOf } from '../../errors.ts';
import { parseJson } from '../../json.ts';
import { pause } from '../../pause.ts';
import { retryAfter } from '../../retry-after.ts';
import { sha256 } from '../../sha256.ts';

/** A cache of responses, so that an identical request is not sent twice. */
export interface RequestCache {
  /** Returns the response of a key, or undefined. */
  get(key: string): Promise<string | undefined>;
  /** Stores a response. A failure to do so is not an error. */
  set(key: string, answer: string): Promise<void>;
}

/** How requests to a model server are made. */
export interface TransportOptions {
  /** Headers of every request, such as `authorization`; never sent to another origin. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Replaces the platform's `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds that one request may take; 60,000 by default. */
  readonly timeout?: number;
  /** Most attempts for a request that fails for a temporary reason; 5 by default. */
  readonly attempts?: number;
  /** Milliseconds before the second attempt; doubled for each one after it. 500 by default. */
  readonly retryDelay?: number;
  /** The most bytes of a response that are read; 64 MB by default. */
  readonly maxAnswerBytes?: number;
  /** The cache of responses; none by default. */
  readonly cache?: RequestCache;
}

/** One model on a server. */
export interface Endpoint {
  /** Address of the model, without `/infer`. */
  readonly url: string;
  readonly name: string;
  readonly host: string;
  readonly options: TransportOptions;
}

interface Request {
  readonly path: '' | '/infer';
  readonly body?: string;
  readonly signal?: AbortSignal;
}

const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);
const MOST_REDIRECTS = 5;
const LONGEST_WAIT = 60_000;
/** After a timeout there is one more attempt; more would take minutes. */
const ATTEMPTS_OF_A_TIMEOUT = 2;

/** A temporary failure. */
class Transient extends Error {
  readonly error: FoveaError;
  /** Milliseconds that the server asked to wait. */
  readonly wait: number;
  readonly isTimeout: boolean;
  constructor(error: FoveaError, { wait = 0, isTimeout = false } = {}) {
    super(error.message);
    this.error = error;
    this.wait = wait;
    this.isTimeout = isTimeout;
  }
}

const cancelled = (host: string) =>
  new FoveaError('cancelled', `the request to ${host} was cancelled`);

/** The text of a response, up to the limit of bytes. */
async function textOf(response: Response, { host, options }: Endpoint): Promise<string> {
  const { maxAnswerBytes: most = 64 * 2 ** 20 } = options;
  const tooLong = () =>
    new FoveaError('runtime', `${host} sent more than ${most} bytes, which is refused`);
  const stated = Number(response.headers.get('content-length') ?? 0);
  if (stated > most) {
    await response.body?.cancel();
    throw tooLong();
  }
  if (!response.body) return response.text();
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > most) {
      await reader.cancel().catch(() => undefined);
      throw tooLong();
    }
    text += decoder.decode(value, { stream: true });
  }
}

/**
 * The address that a redirect leads to. A redirect to another origin is refused, because that
 * server would get the picture and the headers.
 */
function redirected(from: URL, response: Response, hasBody: boolean, host: string): URL {
  const location = response.headers.get('location') ?? '';
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const keepsBody = !hasBody || response.status === 307 || response.status === 308;
  if (to?.origin === from.origin && keepsBody) return to;
  const where = to && to.origin !== from.origin ? ` to ${to.protocol}//${to.host}` : '';
  throw new FoveaError(
    'runtime',
    `${host} redirects${where}, which is refused, since the picture and the headers would ` +
      'go there: give the final address of the model',
  );
}

/** Sends a request, and follows redirects within the origin. */
async function exchange(
  endpoint: Endpoint,
  { path, body }: Request,
  signal: AbortSignal,
): Promise<{ response: Response; text: string }> {
  const { fetch = globalThis.fetch, headers } = endpoint.options;
  let url = new URL(`${endpoint.url}${path}`);
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const response = await fetch(url.href, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      body,
      signal,
      redirect: 'manual',
    });
    const isRedirect = response.type === 'opaqueredirect' || response.headers.has('location');
    if (!isRedirect || response.status >= 400 || response.ok)
      return { response, text: await textOf(response, endpoint) };
    await response.body?.cancel();
    url = redirected(url, response, body !== undefined, endpoint.host);
  }
  throw new FoveaError('runtime', `${endpoint.host} redirects more than ${MOST_REDIRECTS} times`);
}

/** The error to throw for a failed request; Transient for a temporary failure. */
function networkError(
  error: unknown,
  { host, options: { timeout = 60_000 } }: Endpoint,
  { path, signal }: Request,
): unknown {
  if (error instanceof FoveaError) return error;
  if (signal?.aborted) return cancelled(host);
  if ((error as Error).name === 'TimeoutError') {
    const sentence =
      `${host} did not respond within ${timeout / 1000} s: check that the server works, or ` +
      `raise timeout`;
    return new Transient(new FoveaError('runtime', sentence, { cause: error }), {
      isTimeout: true,
    });
  }
  const code = (error as { cause?: { code?: string } }).cause?.code;
  const unreachable = new FoveaError(
    'runtime',
    `the model server ${host} cannot be reached (${code ?? messageOf(error)}): check the ` +
      'address and that it runs',
    { cause: error },
  );
  // A wrong address is reported at once; a server that has responded before may be starting again.
  return path === '' && code && UNREACHABLE.has(code) ? unreachable : new Transient(unreachable);
}

async function attempt(endpoint: Endpoint, request: Request): Promise<string> {
  const limit = AbortSignal.timeout(endpoint.options.timeout ?? 60_000);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  const { response, text } = await exchange(endpoint, request, signal).catch((error: unknown) => {
    throw networkError(error, endpoint, request);
  });
  if (response.ok) return text;
  const error = statusError(endpoint, response.status, reasonIn(text), request.path === '/infer');
  throw TRANSIENT_STATUS.has(response.status)
    ? new Transient(error, { wait: retryAfter(response.headers, LONGEST_WAIT) })
    : error;
}

/** The server's own words, if the response has the form of the protocol. */
function reasonIn(text: string): string {
  try {
    const { error, detail } = parseJson(text) as { error?: unknown; detail?: unknown };
    const words = [error, detail].find((each) => typeof each === 'string') ?? '';
    return words.split('\n', 1).join('').slice(0, 300);
  } catch {
    return '';
  }
}

function statusError(
  { name, host }: Endpoint,
  status: number,
  reason: string,
  isInference: boolean,
): FoveaError {
  const words = reason ? `: ${reason}` : '';
  if (status === 401 || status === 403)
    return new FoveaError(
      'runtime',
      `${host} refuses access to ${name} (HTTP ${status})${words}; pass headers.authorization`,
    );
  if (status === 404)
    return new FoveaError('model', `${host} has no model ${name} (HTTP 404)${words}`);
  // A smaller batch may succeed, so this counts as an allocation failure.
  const cause =
    status === 413 || status === 507 ? new RangeError(`out of memory: HTTP ${status}`) : undefined;
  return new FoveaError(
    'runtime',
    `${host} could not ${isInference ? 'run' : 'describe'} ${name} (HTTP ${status})${words}`,
    { cause },
  );
}

async function send(endpoint: Endpoint, request: Request): Promise<string> {
  const { attempts = 5, retryDelay = 500 } = endpoint.options;
  for (let count = 1; ; count++) {
    try {
      return await attempt(endpoint, request);
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      const most = error.isTimeout ? Math.min(attempts, ATTEMPTS_OF_A_TIMEOUT) : attempts;
      if (count >= most) throw error.error;
      const wait = Math.max(error.wait, retryDelay * 2 ** (count - 1));
      await pause(wait, request.signal, () => cancelled(endpoint.host));
    }
  }
}

/**
 * The text of a server's response: its metadata (GET) if there is no body, otherwise an inference.
 * A temporary failure is tried again, after the time of `Retry-After` or a delay that doubles.
 * @throws FoveaError `runtime` if the server cannot be reached, fails, redirects to another origin
 * or sends too much; `model` if it has no such model; `cancelled`.
 */
export async function requestText(
  endpoint: Endpoint,
  body?: string,
  signal?: AbortSignal,
): Promise<string> {
  if (signal?.aborted) throw cancelled(endpoint.host);
  return send(endpoint, { path: body === undefined ? '' : '/infer', body, signal });
}

/** The key of a response in the cache: SHA-256 of the address, the metadata and the request. */
export function cacheKey(endpoint: Endpoint, metadata: string, body: string): Promise<string> {
  return sha256(new TextEncoder().encode([endpoint.url, metadata, body].join('\n')));
}
