import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { graphBuilder, type Initializer, modelOf, writeModel } from '../onnx/index.ts';
import { diskError } from './disk-error.ts';
import {
  type DownloadProgress,
  defaultCacheDir,
  fetchModelFiles,
  isHubId,
  modelFolder,
} from './hub.ts';

const COMMIT = 'c'.repeat(40);
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/**
 * A hub of one repository, `org/net`: small files answer directly, large ones redirect to another
 * host name.
 */
class Hub {
  files = new Map<string, Buffer>();
  requests: { path: string; range?: string; ifRange?: string; token?: string; revision: string }[] =
    [];
  /** Breaks the connection of these many large responses once `breakAfter` bytes have arrived. */
  breaks = 0;
  breakAfter = 0;
  failures: number[] = [];
  gated = '';
  wrongSum = false;
  ranges = true;
  private cut?: { at: number; response: ServerResponse };
  private server: Server = createServer((request, response) => this.answer(request, response));

  arrived(bytes: number): void {
    if (bytes === this.cut?.at) this.cut.response.destroy();
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, resolve));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://localhost:${this.port}`;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const url = decodeURIComponent(request.url ?? '');
    const { range, authorization } = request.headers;
    const [, revision, path] =
      /^\/org\/net\/resolve\/([^/]+)\/(.+)$/.exec(url) ?? /^\/(cdn)\/(.+)$/.exec(url) ?? [];
    this.requests.push({
      path: url,
      range,
      ifRange: request.headers['if-range'] as string,
      token: authorization,
      revision,
    });
    if (this.failures.length > 0)
      return void response.writeHead(this.failures.shift() as number).end();
    if (this.gated) return void response.writeHead(403, { 'x-error-code': this.gated }).end();
    if (!url.startsWith('/org/net/') && revision !== 'cdn')
      return void response.writeHead(401, { 'x-error-code': 'RepoNotFound' }).end();
    const bytes = this.files.get(path);
    if (!bytes)
      return void response
        .writeHead(404, { 'x-error-code': 'EntryNotFound', 'x-repo-commit': COMMIT })
        .end();
    if (revision !== 'cdn' && bytes.length > 500) {
      const tag = this.wrongSum ? '0'.repeat(64) : sha(bytes);
      const headers = {
        location: `http://127.0.0.1:${this.port}/cdn/${path}`,
        'x-linked-etag': `"${tag}"`,
        'x-linked-size': bytes.length,
        'x-repo-commit': COMMIT,
      };
      return void response.writeHead(302, headers).end();
    }
    this.send(bytes, range, response);
  }

  private send(bytes: Buffer, range: string | undefined, response: ServerResponse): void {
    const tag = `"${sha(bytes).slice(0, 32)}"`;
    const from = this.ranges && range ? Number(/\d+/.exec(range)?.[0]) : 0;
    const body = bytes.subarray(from);
    const partial =
      from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, {
      etag: tag,
      'content-length': body.length,
      'x-repo-commit': COMMIT,
      ...partial,
    });
    if (this.breaks > 0 && bytes.length > 500) {
      this.breaks--;
      response.write(body.subarray(0, this.breakAfter));
      this.cut = { at: from + this.breakAfter, response };
    } else response.end(body);
  }
}

/** A model of a few kilobytes; with `external`, its weights are in another file. */
function network(external?: string): Buffer {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('x', 'float32', ['n', 1000]);
  const inside = builder.constant(new Float32Array(1000).fill(0.5));
  const outside: Initializer = {
    name: 'w',
    type: 'float32',
    dims: [1000],
    data: { kind: 'external', location: external ?? '', offset: 0, length: 4000 },
    otherFields: [],
  };
  builder.add('Add', [x, external === undefined ? inside : builder.initializer(outside)], {}, 'y');
  builder.output('y', 'float32', ['n', 1000]);
  return Buffer.from(writeModel(modelOf(builder.finish())));
}

/** An address at which no server runs. */
async function closedPort(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

let hub: Hub;
let cacheDir: string;
const environment = { ...process.env };
const fetchNet = (options: Parameters<typeof fetchModelFiles>[1] = {}) =>
  fetchModelFiles('org/net', {
    cacheDir,
    endpoint: hub.endpoint,
    retryDelay: 5,
    onProgress: ({ bytes }) => hub.arrived(bytes),
    ...options,
  });
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );

beforeEach(async () => {
  for (const name of ['FOVEA_CACHE', 'FOVEA_OFFLINE', 'HF_HUB_OFFLINE', 'HF_ENDPOINT', 'HF_TOKEN'])
    delete process.env[name];
  cacheDir = await mkdtemp(join(tmpdir(), 'fovea-hub-'));
  hub = new Hub();
  hub.files
    .set('config.json', Buffer.from('{"id2label":{"0":"a"}}'))
    .set('preprocessor_config.json', Buffer.from('{}'))
    .set('onnx/model.onnx', network());
  await hub.listen();
});

afterEach(async () => {
  process.env = { ...environment };
  await hub.close();
  await rm(cacheDir, { recursive: true, force: true });
});

describe('fetchModelFiles', () => {
  it('fetches the files into the documented layout, and once only', async () => {
    const progress: DownloadProgress[] = [];
    const { folder, file } = await fetchNet({ onProgress: (p) => progress.push(p) });
    expect(folder).toBe(join(cacheDir, 'hub', 'org--net', 'main'));
    expect(file).toBe('onnx/model.onnx');
    expect(await readFile(join(folder, file))).toEqual(hub.files.get('onnx/model.onnx'));
    expect(await readFile(join(folder, 'config.json'), 'utf8')).toContain('id2label');
    expect((await readdir(join(folder, 'onnx'))).sort()).toEqual(['model.onnx']);
    const size = network().length;
    expect(progress.at(-1)).toEqual({ file: 'onnx/model.onnx', bytes: size, total: size });
    const before = hub.requests.length;
    await fetchNet();
    expect(hub.requests).toHaveLength(before);
  });

  it.each(['7', 'null', '{"absent": 7}', '{"absent": [7], "commit": {"a": 1}}', '['])(
    'ignores a snapshot file that it did not write: %s',
    async (notes) => {
      const folder = join(cacheDir, 'hub', 'org--net', 'main');
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, '.fovea.json'), notes);
      await fetchNet();
      expect(JSON.parse(await readFile(join(folder, '.fovea.json'), 'utf8'))).toEqual({
        commit: COMMIT,
        absent: [],
      });
    },
  );

  it('downloads all files from the commit of the first', async () => {
    await fetchNet();
    expect(hub.requests.map((request) => request.revision)).toEqual([
      'main',
      COMMIT,
      COMMIT,
      'cdn',
    ]);
  });

  it('sends the token to the hub, but not to the host of a redirect', async () => {
    await fetchNet({ token: 'secret' });
    const tokens = (part: string) =>
      hub.requests.filter(({ path }) => path.startsWith(part)).map(({ token }) => token);
    expect(new Set(tokens('/org/'))).toEqual(new Set(['Bearer secret']));
    expect(tokens('/cdn/')).toEqual([undefined]);
  });

  it('continues after a broken connection', async () => {
    hub.breaks = 2;
    hub.breakAfter = 1500;
    const { folder, file } = await fetchNet();
    expect(
      hub.requests.filter(({ path }) => path.startsWith('/cdn')).map(({ range }) => range),
    ).toEqual([undefined, 'bytes=1500-', 'bytes=3000-']);
    expect(hub.requests.at(-1)?.ifRange).toMatch(/^"[0-9a-f]{32}"$/);
    expect(sha(await readFile(join(folder, file)))).toBe(sha(network()));
  });

  it('continues in a later call', async () => {
    hub.breaks = 5;
    hub.breakAfter = 300;
    expect(await errorOf(fetchNet())).toMatch(
      /^download: org\/net\/onnx\/model.onnx could not be fetched in 5 attempts/,
    );
    await fetchNet();
    expect(hub.requests.at(-1)?.range).toBe('bytes=1500-');
  });

  it('starts again if the server does not continue', async () => {
    hub.breaks = 1;
    hub.breakAfter = 1500;
    hub.ranges = false;
    const { folder, file } = await fetchNet();
    expect(sha(await readFile(join(folder, file)))).toBe(sha(network()));
  });

  it('does not use a part with a wrong checksum', async () => {
    const folder = join(modelFolder('org/net', 'main', cacheDir), 'onnx');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'model.onnx.part'), Buffer.alloc(1000));
    await writeFile(join(folder, 'model.onnx.part.etag'), '"old"');
    await fetchNet();
    expect(sha(await readFile(join(folder, 'model.onnx')))).toBe(sha(network()));
  });

  it('refuses a file with a wrong checksum and keeps nothing of it', async () => {
    hub.wrongSum = true;
    expect(await errorOf(fetchNet())).toMatch(
      /^download: org\/net\/onnx\/model.onnx arrived damaged: sha256 /,
    );
    expect(await readdir(join(modelFolder('org/net', 'main', cacheDir), 'onnx'))).toEqual([]);
  });

  it('tries again if the server is busy, but not forever', async () => {
    hub.failures = [503, 429];
    await fetchNet();
    hub.failures = Array(50).fill(503);
    expect(await errorOf(fetchNet({ revision: 'other' }))).toMatch(
      /5 attempts: the server returned HTTP 503/,
    );
    expect(hub.failures).toHaveLength(45);
  });

  it('finds model.onnx in the top folder, and works without the optional files', async () => {
    hub.files.clear();
    hub.files.set('model.onnx', network());
    const { folder, file } = await fetchNet();
    expect(file).toBe('model.onnx');
    expect(existsSync(join(folder, 'config.json'))).toBe(false);
  });

  it('downloads the given file', async () => {
    hub.files.set('onnx/model_quantized.onnx', network());
    expect((await fetchNet({ file: 'onnx/model_quantized.onnx' })).file).toBe(
      'onnx/model_quantized.onnx',
    );
    expect(await errorOf(fetchNet({ file: '../model.onnx' }))).toMatch(/^usage: /);
    expect(await errorOf(fetchNet({ file: 'onnx/other.onnx' }))).toMatch(
      /^download: .* has no onnx\/other.onnx .* commit cccccccc, delete /,
    );
  });

  it('fetches external data that the model names, and refuses to leave its folder', async () => {
    hub.files
      .set('onnx/model.onnx', network('model.onnx_data'))
      .set('onnx/model.onnx_data', Buffer.alloc(4000));
    const { folder } = await fetchNet();
    expect(existsSync(join(folder, 'onnx', 'model.onnx_data'))).toBe(true);
    hub.files.set('onnx/model.onnx', network('../../../escape'));
    expect(await errorOf(fetchNet({ revision: 'evil' }))).toMatch(/^model: .*outside its folder/);
    hub.files.set('onnx/model.onnx', network('gone.data'));
    expect(await errorOf(fetchNet({ revision: 'gone' }))).toMatch(
      /^download: .*has no onnx\/gone.data/,
    );
  });

  it('supports several downloads at once', async () => {
    await Promise.all([fetchNet(), fetchNet(), fetchNet()]);
    const folder = modelFolder('org/net', 'main', cacheDir);
    expect((await readdir(folder)).sort()).toEqual([
      '.fovea.json',
      'config.json',
      'onnx',
      'preprocessor_config.json',
    ]);
    expect(await readdir(join(folder, 'onnx'))).toEqual(['model.onnx']);
  });

  it('sends no request offline, and says what is missing', async () => {
    process.env.FOVEA_OFFLINE = '1';
    expect(await errorOf(fetchNet())).toMatch(
      /^download: offline, and onnx\/model.onnx or model.onnx of org\/net \(main\) is not in the cache \(.*org--net.main\)/,
    );
    expect(hub.requests).toEqual([]);
    delete process.env.FOVEA_OFFLINE;
    await fetchNet();
    const before = hub.requests.length;
    process.env.HF_HUB_OFFLINE = '1';
    expect((await fetchNet()).file).toBe('onnx/model.onnx');
    expect(hub.requests).toHaveLength(before);
  });

  it.each([
    [
      '',
      'org/other',
      /^download: org\/other does not exist at localhost:\d+ or is private \(HTTP 401\)/,
    ],
    ['GatedRepo', 'org/net', /^download: org\/net is gated \(HTTP 403\): accept its terms/],
    ['RevisionNotFound', 'org/net', /^download: org\/net has no revision "main"/],
    ['Other', 'org/net', /^download: localhost:\d+ refuses org\/net\/config.json \(HTTP 403\)/],
    ['', 'no id', /^usage: "no id" is not a hub id: expected organisation\/name/],
  ])('%s %s: says what to do', async (gated, id, message) => {
    hub.gated = gated;
    expect(
      await errorOf(fetchModelFiles(id, { cacheDir, endpoint: hub.endpoint, retryDelay: 1 })),
    ).toMatch(message);
  });

  it('says when there is no model, no server, or no address', async () => {
    hub.files.delete('onnx/model.onnx');
    expect(await errorOf(fetchNet())).toMatch(
      /^download: org\/net \(main\) has no onnx\/model.onnx or model.onnx at localhost/,
    );
    expect(await errorOf(fetchNet({ endpoint: await closedPort(), revision: 'x' }))).toMatch(
      /^download: .*127\.0\.0\.1:\d+ cannot be reached \(/,
    );
    expect(await errorOf(fetchNet({ endpoint: 'nowhere' }))).toMatch(/^usage: HF_ENDPOINT/);
  });

  it('can be cancelled and continued', async () => {
    const controller = new AbortController();
    hub.breaks = 1;
    hub.breakAfter = 1500;
    const onProgress = ({ bytes }: DownloadProgress) => bytes >= 1500 && controller.abort();
    expect(await errorOf(fetchNet({ signal: controller.signal, onProgress }))).toMatch(
      /^cancelled: /,
    );
    await fetchNet();
    expect(hub.requests.at(-1)?.range).toBe('bytes=1500-');
  });
});

it('diskError says what to do', () => {
  expect(diskError({ code: 'ENOSPC' }, '/cache/hub/model.onnx', 3e6)).toMatchObject({
    code: 'download',
    message: expect.stringMatching(/disk is full.*3 MB are needed.*FOVEA_CACHE/),
  });
  expect(diskError({ code: 'EROFS' }, '/cache/hub/model.onnx').message).toMatch(
    /cannot be written \(EROFS\): set FOVEA_CACHE/,
  );
});

it('recognizes hub ids and the cache folder', () => {
  expect(['org/net', 'a-b/c.d_e'].every(isHubId)).toBe(true);
  expect(['net', 'a/b/c', '../x', './x', 'a/..b', '/a/b', 'a/'].some(isHubId)).toBe(false);
  process.env.FOVEA_CACHE = '/somewhere';
  expect(defaultCacheDir()).toBe('/somewhere');
  expect(modelFolder('a/b', 'refs/pr/1', 'c')).toBe(join('c', 'hub', 'a--b', 'refs-pr-1'));
  expect(modelFolder('a/b', '..', 'c')).toBe(join('c', 'hub', 'a--b', '-'));
});
