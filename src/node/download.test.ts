import { existsSync } from 'node:fs';
import { link, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { downloadFile } from './download.ts';
import { fetchModelFiles } from './hub.ts';

const BYTES = Buffer.alloc(1000, 7);
const LOGIN = '<!DOCTYPE html><html><body>Please log in</body></html>';

let folder: string;
let target: string;
let server: Server;
let answer: (response: ServerResponse, url: string) => void;
let sent: number;

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const download = (limit?: number) =>
  downloadFile(`${address()}/file`, target, {
    name: 'the file',
    limit,
    retryDelay: 1,
    explain: (status) => `HTTP ${status}`,
  });
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-download-'));
  target = join(folder, 'file');
  sent = 0;
  answer = (response) => response.end(BYTES);
  server = createServer((request, response) => answer(response, request.url ?? ''));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

/** Sends endless bytes without a stated length, until the connection ends. */
function endless(response: ServerResponse, headers: Record<string, string | number>): void {
  response.writeHead(200, headers);
  const more = () => {
    while (!response.destroyed && sent < 2 ** 30) {
      sent += 2 ** 16;
      if (!response.write(Buffer.alloc(2 ** 16))) return void response.once('drain', more);
    }
    response.end();
  };
  more();
}

describe('a server that sends something else', () => {
  it('keeps no byte beyond the stated length', async () => {
    answer = (response) => endless(response, { 'x-linked-size': 1000 });
    expect(await errorOf(download())).toMatch(/^download: .*damaged: more than the 1000 bytes/);
    expect(sent).toBeLessThan(2 ** 25); // what fits into the buffers of the connection
    expect(existsSync(`${target}.part`)).toBe(false);
  });

  it('stops at the limit without a stated length, and refuses a length above it', async () => {
    answer = (response) => endless(response, {});
    expect(await errorOf(download(5000))).toMatch(/^download: .*more than the 5000 bytes/);
    answer = (response) => response.writeHead(200, { 'content-length': 6000 }).write('x');
    expect(await errorOf(download(5000))).toBe(
      'download: the file has 6000 bytes: at most 5000 are accepted',
    );
    expect(existsSync(target)).toBe(false);
  });

  it.each([
    ['text/html; charset=utf-8', LOGIN],
    ['application/octet-stream', LOGIN],
  ])('keeps no web page (%s)', async (type, page) => {
    answer = (response) => response.writeHead(200, { 'content-type': type }).end(page);
    expect(await errorOf(download())).toMatch(/^download: .*a web page \(HTML\) came instead/);
    expect(existsSync(target) || existsSync(`${target}.part`)).toBe(false);
  });

  it('does not follow a redirect to a file or another protocol', async () => {
    answer = (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end();
    expect(await errorOf(download())).toMatch(/^download: .*redirects to file:.*refused/);
  });

  it('escapes control characters of the server', async () => {
    answer = (response) => response.writeHead(418).end();
    const explain = () => 'no \u001b]0;title\u0007';
    const options = { name: 'x', explain };
    expect(await errorOf(downloadFile(`${address()}/x`, target, options))).toBe(
      'download: no \\x1b]0;title\\x07',
    );
  });
});

describe('a part that another user put into a shared cache', () => {
  it.each([
    ['a symbolic link', symlink],
    ['a hard link', link],
  ])('is not written through: %s', async (_what, lay) => {
    const victim = join(folder, 'victim');
    await writeFile(victim, 'precious');
    await lay(victim, `${target}.part`);
    await writeFile(`${target}.part.etag`, '"tag"');
    expect(await download()).toMatchObject({ found: true });
    expect(await readFile(victim, 'utf8')).toBe('precious');
    expect(await readFile(target)).toEqual(BYTES);
  });
});

it('does not keep settings of a model that are not JSON', async () => {
  const options = { cacheDir: folder, endpoint: address(), retryDelay: 1 };
  answer = (response) => response.end('maintenance');
  expect(await errorOf(fetchModelFiles('org/net', options))).toMatch(
    /^download: org\/net\/config.json is not JSON, so it was not kept/,
  );
  expect(existsSync(join(folder, 'hub/org--net/main/config.json'))).toBe(false);
});
