import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, relative } from 'node:path';
import { ROOT, resolveAll } from './modules.ts';

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
};

const urlOf = (file: string): string => `/${relative(ROOT, file).replaceAll('\\', '/')}`;

/** A page without a bundler: an import map to the files as they are installed, and one module. */
export function pageOf(specifiers: readonly string[], script: string): string {
  const imports = Object.fromEntries(
    [...resolveAll(specifiers)].map(([specifier, file]) => [specifier, urlOf(file)]),
  );
  return `<!doctype html><meta charset="utf-8"><title>fovea</title><link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="${script}"></script>`;
}

/**
 * A static server of some of the project's folders, and of bytes made by a test, on a cross-origin
 * isolated page.
 */
export interface Site {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves `made` (by path) and the project's files below `folders`.
 * @param headers - by default those of an isolated page
 */
export async function serve(
  folders: readonly string[],
  made: ReadonlyMap<string, string | Uint8Array>,
  headers: Readonly<Record<string, string>> = {
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-embedder-policy': 'require-corp',
  },
): Promise<Site> {
  const server = createServer(async ({ url = '/' }, response) => {
    const asked = new URL(url, 'http://localhost').pathname; // also takes `..` away
    const pathname = asked.replace(/^\/node_modules\/fovea\//, '/'); // as it is installed
    const isServed = folders.some((folder) => pathname.startsWith(`/${folder}/`));
    const body =
      made.get(pathname) ??
      (isServed
        ? await readFile(join(ROOT, decodeURIComponent(pathname))).catch(() => undefined)
        : undefined);
    response.writeHead(body === undefined ? 404 : 200, {
      ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      'content-type':
        CONTENT_TYPES[extname(pathname)] ??
        (pathname === '/' ? 'text/html' : 'application/octet-stream'),
      ...headers,
    });
    response.end(body ?? 'not found');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
