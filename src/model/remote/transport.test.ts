import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRequestCache } from '../../node/request-cache.ts';
import { tensor } from '../../tensor/tensor.ts';
import { createRemoteModel, type RemoteModelOptions } from '../remote-model.ts';

/** A model of four classes for pictures of 2×2, which returns [1, 2, 3, 4] for each. */
const METADATA = {
  name: 'm',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, 2, 2] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 4] }],
};
const scoresOf = (count: number) => Array.from({ length: count }, () => [1, 2, 3, 4]).flat();
const answerOf = (count: number, change = {}) => ({
  outputs: [{ name: 'y', datatype: 'FP32', shape: [count, 4], data: scoresOf(count), ...change }],
});

let server: Server;
let other: Server;
let requests: { method?: string; url?: string; key?: unknown }[];
let leaked: number;
/** Handles a request in place of the model; returns true if it did. */
let misbehave: (response: ServerResponse, request: IncomingMessage, infer: number) => boolean;
let metadata: unknown;

const addressOf = (each: Server) => `http://127.0.0.1:${(each.address() as AddressInfo).port}`;
const listen = (each: Server) =>
  new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));

beforeEach(async () => {
  [requests, leaked, misbehave, metadata] = [[], 0, () => false, METADATA];
  let infer = 0;
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    requests.push({ ...request, key: request.headers['x-api-key'] });
    const isInfer = request.method === 'POST';
    if (isInfer) infer++;
    if (misbehave(response, request, infer)) return;
    if (!isInfer) return void response.end(JSON.stringify(metadata));
    const { inputs } = JSON.parse(Buffer.concat(chunks).toString());
    response.end(JSON.stringify(answerOf(inputs[0].shape[0])));
  });
  other = createServer((_request, response) => {
    leaked++;
    response.end(JSON.stringify(METADATA));
  });
  await Promise.all([listen(server), listen(other)]);
});

afterEach(async () => {
  for (const each of [server, other]) {
    each.closeAllConnections();
    await new Promise((resolve) => each.close(resolve));
  }
});

const load = (options: RemoteModelOptions = {}) =>
  createRemoteModel(`${addressOf(server)}/v2/models/m`, { retryDelay: 1, ...options });
const pictures = tensor([2, 3, 2, 2]);
const run = async (options?: RemoteModelOptions) =>
  (await load(options)).classify(pictures, { score: 'logit' });
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );
/** Sends a text in place of the second inference. */
const second =
  (status: number, body: string, headers = {}): typeof misbehave =>
  (response, _request, infer) => {
    if (infer !== 2) return false;
    response.writeHead(status, headers).end(body);
    return true;
  };

describe('temporary failures', () => {
  it.each([500, 502, 503, 429, 408])('tries again after HTTP %i', async (status) => {
    misbehave = second(status, '{"error":"hiccup"}');
    expect((await run()).data).toEqual(Float32Array.from(scoresOf(2)));
    expect(requests.length).toBe(4);
  });

  it('waits for the time of Retry-After', async () => {
    misbehave = second(429, '', { 'retry-after': '1' });
    const model = await load();
    const begin = performance.now();
    await model.classify(pictures);
    expect(performance.now() - begin).toBeGreaterThan(950);
  });

  it('tries again after a cut connection and a response that is cut short', async () => {
    misbehave = (response, _request, infer) => {
      if (infer === 2) response.socket?.destroy();
      if (infer === 3) {
        response.writeHead(200, { 'content-length': 500 }).write('{"outputs":');
        setTimeout(() => response.socket?.destroy(), 20);
      }
      return infer === 2 || infer === 3;
    };
    expect((await run()).data).toEqual(Float32Array.from(scoresOf(2)));
  });

  it('gives up after some attempts, and at once for a permanent failure', async () => {
    misbehave = (response, _request, infer) => {
      if (infer < 2) return false;
      response.writeHead(500).end('{"error":"on fire"}');
      return true;
    };
    expect(await errorOf(run({ attempts: 3 }))).toMatch(/^runtime: .*HTTP 500\): on fire$/);
    expect(requests.length).toBe(2 + 3);
    misbehave = (response) => Boolean(response.writeHead(400).end());
    requests = [];
    expect(await errorOf(run())).toMatch(/^runtime: .*HTTP 400/);
    expect(requests.length).toBe(1);
  });

  it('has a time limit, and can be cancelled', async () => {
    misbehave = (_response, _request, infer) => infer > 1;
    expect(await errorOf(run({ timeout: 60 }))).toMatch(
      /^runtime: .*did not respond within 0.06 s: .*raise timeout/,
    );
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    misbehave = (_response, request) => request.method === 'GET';
    expect(await errorOf(load({ signal: controller.signal }))).toMatch(/^cancelled: /);
  });
});

describe('redirects', () => {
  it.each([307, 302, 303])('to another origin are refused: HTTP %i', async (status) => {
    misbehave = (response, _request, infer) => {
      const location = `${addressOf(other)}/stolen`;
      return infer > 1 && Boolean(response.writeHead(status, { location }).end());
    };
    expect(await errorOf(run({ headers: { 'x-api-key': 'secret' } }))).toMatch(
      /^runtime: 127.0.0.1:\d+ redirects to http:\/\/127.0.0.1:\d+, which is refused/,
    );
    expect(leaked).toBe(0);
  });

  it('to a file or in a circle are refused', async () => {
    misbehave = (response) => Boolean(response.writeHead(302, { location: 'file:///etc/x' }).end());
    expect(await errorOf(load())).toMatch(/^runtime: .*redirects to file:\/\/, which is refused/);
    misbehave = (response) => Boolean(response.writeHead(302, { location: '/v2/models/m' }).end());
    expect(await errorOf(load())).toMatch(/^runtime: .*redirects more than 5 times/);
  });

  it('within the origin are followed, with body and headers', async () => {
    misbehave = (response, request) => {
      if (request.url !== '/v2/models/m/infer') return false;
      return Boolean(response.writeHead(307, { location: '/real/infer' }).end());
    };
    await run({ headers: { 'x-api-key': 'secret' } });
    expect(requests.every(({ key }) => key === 'secret')).toBe(true);
  });
});

describe('responses', () => {
  const data = (values: unknown[]) => JSON.stringify(answerOf(2, { data: values }));
  const deep = `${'['.repeat(20_000)}1${']'.repeat(20_000)}`;
  it.each([
    ['null', data([null, 2, 3, 4, 1, 2, 3, 4]), /^model: .*values that are not numbers/],
    ['empty text', data(['', 2, 3, 4, 1, 2, 3, 4]), /^model: .*values that are not numbers/],
    ['text', data(['1', 2, 3, 4, 1, 2, 3, 4]), /^model: .*values that are not numbers/],
    ['true', data([true, 2, 3, 4, 1, 2, 3, 4]), /^model: .*values that are not numbers/],
    ['NaN', data([1]).replace('[1]', '[NaN]'), /^model: m returned NaN or infinite scores/],
    ['1e999', data([1]).replace('[1]', '[1e999,2,3,4,1,2,3,4]'), /^model: m returned NaN or inf/],
    ['nesting', data([1]).replace('[1]', deep), /^(model|runtime): /],
    ['another shape', JSON.stringify(answerOf(2, { shape: [4, 2] })), /^model: .*\[4,2\]/],
    ['an absurd shape', JSON.stringify(answerOf(2, { shape: [999, -5] })), /^model: .*999,-5/],
    ['fewer rows', JSON.stringify(answerOf(1)), /^model: .*\[1,4\] with 4 values for 2 pictures/],
    ['another output', JSON.stringify(answerOf(2, { name: 'z' })), /^runtime: .*its output y$/],
    ['an error', '{"error":"crashed"}', /^runtime: .*outputs: /],
    ['half of it', JSON.stringify(answerOf(2)).slice(0, 50), /^runtime: .*did not send JSON/],
  ])('with %s are refused', async (_what, body, message) => {
    misbehave = second(200, body);
    expect(await errorOf(run())).toMatch(message);
  });

  it('nested as their shape are read', async () => {
    misbehave = second(
      200,
      data([
        [1, 2, 3, 4],
        [5, 6, 7, 8],
      ]),
    );
    expect([...(await run()).data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('are read up to a limit', async () => {
    let sent = 0;
    misbehave = (response, _request, infer) => {
      if (infer < 2) return false;
      response.write('{"outputs":[{"name":"y","shape":[2,4],"data":[');
      const more = () => {
        while (!response.destroyed && sent < 2 ** 29) {
          sent += 2 ** 16;
          if (!response.write('0,'.repeat(2 ** 15))) return void response.once('drain', more);
        }
      };
      more();
      return true;
    };
    expect(await errorOf(run({ maxAnswerBytes: 2 ** 20 }))).toMatch(
      /^runtime: .*sent more than 1048576 bytes, which is refused$/,
    );
    expect(sent).toBeLessThan(2 ** 26);
  });

  it.each([
    [[-1, 3, 1_000_000, 1_000_000]],
    [[-1, 3, 16_384, 16_384]],
    [[-1, 3, 0, 0]],
    [[-1, 3, 1.5, 16]],
    [[-1, 3, null, true]],
    [[-1, 3, '', '16']],
  ])('about inputs of shape %j are refused', async (shape) => {
    metadata = { ...METADATA, inputs: [{ name: 'x', datatype: 'FP32', shape }] };
    expect(await errorOf(load())).toMatch(/^(model|runtime): .*(sides of 1 to|inputs\.0\.shape)/);
  });
});

describe('a budget and a cache', () => {
  it('stop before more pictures are sent than allowed', async () => {
    const model = await load({ budget: 3 });
    await model.classify(pictures);
    expect(await errorOf(model.classify(pictures))).toBe(
      'usage: the budget of 3 model calls is used up (3 sent, 2 more wanted): raise budget, ' +
        'or ask for fewer',
    );
    expect(requests.length).toBe(3);
  });

  it('serve identical requests from the disk, also in a later run', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fovea-requests-'));
    const options = { cache: createRequestCache(folder), budget: 3 };
    const first = await run(options);
    expect(requests.map(({ method }) => method)).toHaveLength(3);
    expect((await run({ ...options, budget: 1 })).data).toEqual(first.data);
    expect(requests).toHaveLength(4); // the metadata only
    metadata = { ...METADATA, versions: ['2'] };
    expect(await errorOf(run({ ...options, budget: 1 }))).toMatch(/^usage: /); // another model
    await rm(folder, { recursive: true });
  });
});
