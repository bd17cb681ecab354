import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { pipeline } from 'node:stream';
import { FoveaError, messageOf } from '../../errors.ts';
import { OWN_SOURCES, type SiteFiles } from './site.ts';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webp': 'image/webp',
  '.wasm': 'application/wasm',
};

/** The page can load nothing from other servers and send nothing to them, except `sources`. */
const securityPolicy = (sources: string): string =>
  [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    `${OWN_SOURCES}${sources && ` ${sources}`}`,
    "img-src 'self' blob: data:",
    "style-src 'self' 'unsafe-inline'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

/** Headers of every response. The page is isolated, so that WebAssembly can use threads. */
const headersFor = (sources: string): Readonly<Record<string, string>> => ({
  'content-security-policy': securityPolicy(sources),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
});

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** The address of the server. */
export interface StudioAddress {
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

/** What a server answers with. */
interface Site {
  readonly files: SiteFiles;
  readonly headers: Readonly<Record<string, string>>;
  readonly host: string;
}

/**
 * Whether the host of a request is a name of this machine. A page of another site can resolve its
 * own name to this machine, and must not read the user's model in this way.
 */
function isExpected(request: IncomingMessage, host: string): boolean {
  if (!LOOPBACK.test(host) && host !== '::1') return true;
  const named = (request.headers.host ?? '').replace(/:\d+$/, '');
  return LOOPBACK.test(named);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { files, headers, host }: Site,
): Promise<void> {
  const { method, url = '/' } = request;
  const refuse = (status: number, text: string): void => {
    response.writeHead(status, { ...headers, 'content-type': 'text/plain' });
    response.end(`${text}\n`);
  };
  if (!isExpected(request, host)) return refuse(403, 'not a name of this machine');
  if (method !== 'GET' && method !== 'HEAD') return refuse(405, 'only GET');
  const path = url.split(/[?#]/)[0] ?? '/';
  const file = files.get(path);
  const size =
    typeof file === 'object'
      ? Buffer.byteLength(file.text)
      : file && (await stat(file).catch(() => undefined))?.size;
  if (file === undefined || size === undefined) return refuse(404, 'not found');
  const type = CONTENT_TYPES[extname(path === '/' ? 'index.html' : path)];
  response.writeHead(200, {
    ...headers,
    'content-type': type ?? 'application/octet-stream',
    'content-length': size,
  });
  if (method === 'HEAD') response.end();
  else if (typeof file === 'object') response.end(file.text);
  else pipeline(createReadStream(file), response, () => {});
}

/** The error for a server that does not start. */
function startError(cause: NodeJS.ErrnoException, { host, port }: StudioAddress): FoveaError {
  const message =
    cause.code === 'EADDRINUSE'
      ? `port ${port} is in use: choose another with --port, or 0 for any free port`
      : cause.code === 'EACCES'
        ? `port ${port} needs more rights: choose one above 1023 with --port`
        : `the studio cannot listen on ${host}: ${messageOf(cause)}`;
  return new FoveaError('usage', message, { cause });
}

/** A running server. */
export interface StudioServer {
  /** The address of the page. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves files by their exact paths.
 * @param sources - other servers that the page may connect to, as a security policy lists them
 * @throws FoveaError `usage` if the port is in use or not allowed.
 */
export async function serveStudio(
  files: SiteFiles,
  where: StudioAddress,
  sources = '',
): Promise<StudioServer> {
  const site: Site = { files, headers: headersFor(sources), host: where.host };
  const server: Server = createServer((request, response) => {
    answer(request, response, site).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(startError(error, where)));
    server.listen(where.port, where.host, resolve);
  });
  const given = server.address();
  const port = typeof given === 'object' && given ? given.port : where.port;
  const host = where.host.includes(':') ? `[${where.host}]` : where.host;
  return {
    address: `http://${host}:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
