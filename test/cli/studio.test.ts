import { readdirSync } from 'node:fs';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../browser/modules.ts';
import { type RunningStudio, startStudio } from '../studio/studio.ts';
import { fovea } from './cli.ts';

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** Requests a path unchanged; `fetch` would remove `..`. */
function ask(address: string, path: string, headers = {}, method = 'GET'): Promise<Answer> {
  const { hostname, port } = new URL(address);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers, method }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

describe('fovea studio', () => {
  let server: RunningStudio;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fovea-studio-'));
    await copyFile(join(ROOT, 'dist/demo/models/demo-cnn.onnx'), join(folder, 'my model.onnx'));
    await copyFile(join(ROOT, 'dist/demo/models/demo-cnn.json'), join(folder, 'my model.json'));
    await copyFile(join(ROOT, 'package.json'), join(folder, 'secret.json'));
    server = await startStudio(['--model', join(folder, 'my model.onnx')]);
  });

  afterAll(async () => {
    expect(await server?.end()).toBe(0);
    await rm(folder, { recursive: true, force: true });
  });

  it('serves the page on the loopback address, and says so', async () => {
    expect(server.address).toMatch(
      /^http:\/\/127\.0\.0\.1:\d+\/#model=given%2Fmy%2520model\.onnx$/,
    );
    expect(server.output()).toContain('on this machine. Press Ctrl-C to stop.');
    const { status, headers, body } = await ask(server.address, '/');
    expect(status).toBe(200);
    expect(body).toContain('<title>Fovea studio</title>');
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'x-content-type-options': 'nosniff',
    });
    expect(headers['content-security-policy']).toContain("connect-src 'self' blob: data:;");
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });

  it.each([
    '/models/demo-vit.onnx',
    '/models/demo-cnn.json',
    '/ort/ort-wasm-simd-threaded.wasm',
    '/given/my%20model.onnx',
    '/given/my%20model.json',
    '/sw.js',
  ])('has %s', async (path) => {
    expect((await ask(server.address, path, {}, 'HEAD')).status).toBe(200);
  });

  it.each([
    '/../package.json',
    '/..%2f..%2fpackage.json',
    '/assets/../../cli/main.js',
    '/given/secret.json',
    '/given/..%2fsecret.json',
    '/models/README.md',
    '//etc/passwd',
    '/%2e%2e/%2e%2e/package.json',
  ])('does not have %s', async (path) => {
    expect((await ask(server.address, path)).status).toBe(404);
  });

  it('refuses other methods, and requests that name another machine', async () => {
    expect((await ask(server.address, '/', {}, 'POST')).status).toBe(405);
    expect((await ask(server.address, '/', { host: 'evil.example:80' })).status).toBe(403);
    expect((await ask(server.address, '/', { host: 'localhost:80' })).status).toBe(200);
  });

  it('reports in one sentence a port in use, and a model that it cannot open', async () => {
    const { port } = new URL(server.address);
    const taken = await fovea(['studio', '--no-open', '--port', port], folder);
    expect(taken).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`port ${port} is in use: choose another with --port`),
    });
    const unknown = await fovea(['studio', '--no-open', '--model', 'resnet'], folder);
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain('the studio opens demo-cnn, demo-cnn-biased, demo-vit or an');
  });

  it('writes the page into a folder for a web server', async () => {
    const site = join(folder, 'site');
    const { code, stdout } = await fovea(['studio', '--write', site], folder);
    expect(code).toBe(0);
    expect(stdout).toContain(`The studio is in ${site}`);
    const files = readdirSync(site, { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(
      expect.arrayContaining([
        'index.html',
        'models/demo-cnn.onnx',
        'ort/ort-wasm-simd-threaded.wasm',
        'scenes/scenes.json',
      ]),
    );
    const page = await readFile(join(site, 'index.html'), 'utf8');
    expect(page).toContain("connect-src 'self' blob: data:;");
    expect(page).not.toContain('fovea-hub');
  });

  it('lets the page connect to a hub, and to nothing else, only if the user allows it', async () => {
    const site = join(folder, 'site-with-hub');
    vi.stubEnv('HF_ENDPOINT', 'https://hub.example/mirror/');
    const { code } = await fovea(['studio', '--write', site, '--allow-hub'], folder);
    vi.unstubAllEnvs();
    expect(code).toBe(0);
    const page = await readFile(join(site, 'index.html'), 'utf8');
    expect(page).toContain("connect-src 'self' blob: data: https://hub.example;");
    expect(page).toContain('<meta name="fovea-hub" content="https://hub.example/mirror" />');
  });
});
