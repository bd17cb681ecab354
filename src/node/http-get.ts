import { FoveaError, messageOf } from '../errors.ts';

/** A failure after which another attempt may succeed. */
export class Transient extends Error {
  /** Milliseconds that the server asked to wait; 0 if it did not ask. */
  readonly wait: number;
  constructor(message: string, wait = 0, cause?: unknown) {
    super(message, { cause });
    this.wait = wait;
  }
}

/** The error of a download that its caller stopped. */
export const cancelled = () =>
  new FoveaError(
    'cancelled',
    'the download was cancelled; the next one continues where it stopped',
  );

/** How a request is made. */
export interface GetOptions {
  /** The name of the file in messages. */
  readonly name: string;
  /** Headers for the origin of the address only; other origins do not get them after a redirect. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** A response, with facts from the headers of all servers on the way to it. */
export interface Answer {
  readonly response: Response;
  /** Facts about the file itself. A hub sends them with its redirect; the storage host may not. */
  readonly sha256?: string;
  readonly size?: number;
  readonly commit?: string;
}

const MOST_REDIRECTS = 8;
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

/** The system's code of a network failure; `fetch` hides it in the cause. */
export function networkCode(error: unknown): string | undefined {
  const codes = [error, (error as Error).cause].map(
    (e) => (e as { code?: unknown } | undefined)?.code,
  );
  const inner = ((error as Error).cause as { errors?: { code?: string }[] } | undefined)
    ?.errors?.[0]?.code;
  return [...codes, inner].find((code): code is string => typeof code === 'string');
}

/** The SHA-256 in an ETag, or undefined. The ETag of a large file on the hub is its checksum. */
function sha256Of(headers: Headers): string | undefined {
  const tag = (headers.get('x-linked-etag') ?? headers.get('etag') ?? '')
    .replace(/^W\//, '')
    .replaceAll('"', '');
  return /^[0-9a-f]{64}$/i.test(tag) ? tag.toLowerCase() : undefined;
}

/** A length in bytes from a header; undefined if it is not a whole number. */
export function lengthIn(headers: Headers, name: string): number | undefined {
  const text = headers.get(name) ?? '';
  const length = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(length) ? length : undefined;
}

async function fetchOnce(
  url: URL,
  headers: Record<string, string>,
  { name, signal }: GetOptions,
): Promise<Response> {
  try {
    return await fetch(url, { headers, signal, redirect: 'manual' });
  } catch (error) {
    if (signal?.aborted) throw cancelled();
    const code = networkCode(error);
    if (code && UNREACHABLE.has(code)) {
      throw new FoveaError(
        'download',
        `${name} could not be fetched: ${url.host} cannot be reached (${code}); check the ` +
          'connection, or work offline with files that you have',
        { cause: error },
      );
    }
    throw new Transient(code ?? messageOf((error as Error).cause ?? error), 0, error);
  }
}

/** The address that a redirect leads to. A redirect from https to http is refused. */
function redirected(from: URL, location: string, name: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isSafe =
    to?.protocol === 'https:' || (to?.protocol === 'http:' && from.protocol === 'http:');
  if (to && isSafe) return to;
  throw new FoveaError(
    'download',
    `${name} could not be fetched: ${from.host} redirects to ` +
      `${to?.protocol ?? 'no address'}${to ? `//${to.host}` : ''}, which is refused: expected ` +
      'https',
  );
}

/**
 * Sends a GET request. It follows redirects itself, to read the headers on the way, and to send the
 * token to the first origin only.
 * @throws FoveaError `download` or `cancelled`; Transient if another attempt may succeed.
 */
export async function get(
  address: string,
  range: Readonly<Record<string, string>>,
  options: GetOptions,
): Promise<Answer> {
  let url = new URL(address);
  const home = url.origin;
  let found: Omit<Answer, 'response'> = {};
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const own = url.origin === home ? options.headers : {};
    const headers = { 'accept-encoding': 'identity', ...own, ...range };
    const response = await fetchOnce(url, headers, options);
    found = {
      sha256: found.sha256 ?? sha256Of(response.headers),
      size: found.size ?? lengthIn(response.headers, 'x-linked-size'),
      commit: found.commit ?? response.headers.get('x-repo-commit') ?? undefined,
    };
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || response.status === 304 || !location)
      return { response, ...found };
    await response.body?.cancel();
    url = redirected(url, location, options.name);
  }
  throw new FoveaError(
    'download',
    `${options.name} could not be fetched: the server redirects more than ${MOST_REDIRECTS} times`,
  );
}
