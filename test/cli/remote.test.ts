import { readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { explain } from '../../src/explain.ts';
import { loadModel } from '../../src/node/load-model.ts';
import { readImage } from '../../src/node/read-image.ts';
import { folderOfScenes, fovea, ONE_LINE } from './cli.ts';

const SIDE = 16;
/** Occlusion with 16 pictures beside the whole one. */
const QUICK = [
  ...['--methods', 'occlusion', '--set', 'occlusion.window=4'],
  ...['--set', 'occlusion.stride=4', '--preprocess', 'mean=[0,0,0]', 'std=[1,1,1]'],
];
const OPTIONS = { window: 4, stride: 4 };
/** Noise when the model is created, the picture for its scores and its class, 16 windows. */
const NEEDED = 19;
const PREPROCESSING = { mean: [0, 0, 0], std: [1, 1, 1] };

/** A server with the model m: two classes, by the sum of all pixels. */
let server: Server;
let address: string;
/** When each inference came, and how many pictures it had. */
let inferences: { at: number; pictures: number }[];
/** The status that the n-th inference gets in place of scores. */
let failing: { readonly n: number; readonly status: number; readonly retryAfter: string } | null;

beforeEach(async () => {
  [inferences, failing] = [[], null];
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method === 'GET') {
      const inputs = [{ name: 'x', datatype: 'FP32', shape: [-1, 3, SIDE, SIDE] }];
      const outputs = [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }];
      return void response.end(JSON.stringify({ name: 'm', inputs, outputs }));
    }
    const [{ shape, data }] = JSON.parse(Buffer.concat(chunks).toString()).inputs;
    const [pictures] = shape;
    inferences.push({ at: performance.now(), pictures });
    if (failing?.n === inferences.length) {
      const { status, retryAfter } = failing;
      return void response.writeHead(status, { 'retry-after': retryAfter }).end();
    }
    const size = data.length / pictures;
    const scores = Array.from({ length: pictures }, (_, i) => {
      const part: number[] = data.slice(i * size, (i + 1) * size);
      return [part.reduce((sum, x) => sum + x, 0) / size, 0];
    });
    const outputs = [{ name: 'y', datatype: 'FP32', shape: [pictures, 2], data: scores.flat() }];
    response.end(JSON.stringify({ model_name: 'm', outputs }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v2/models/m`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const explainOne = (...args: string[]) =>
  fovea(['explain', 'one.png', '--model', address, ...QUICK, ...args], folder);
const picturesSent = () => inferences.reduce((sum, { pictures }) => sum + pictures, 0);

test('--budget is enough, or leads to fewer samples, or ends the command', async () => {
  const { code, stderr } = await explainOne('--out', 'enough', '--budget', String(NEEDED));
  expect(code, stderr).toBe(0);
  expect(picturesSent()).toBe(NEEDED);
  inferences = [];
  const fewer = await explainOne('--out', 'fewer', '--budget', '9');
  expect(fewer.code, fewer.stderr).toBe(0);
  expect(picturesSent()).toBeLessThanOrEqual(9);
  const manifest = JSON.parse(await readFile(join(folder, 'fewer/one.occlusion.json'), 'utf8'));
  // The noise and the classification are no calls of the method.
  expect(manifest).toMatchObject({ budget: 7, modelCalls: { forward: 5 } });
  inferences = [];
  const ended = await explainOne('--out', 'short', '--budget', '3');
  expect(ended.code).not.toBe(0);
  const reasons = ended.stderr.split('\n').filter((line) => line.includes('budget'));
  expect(`${reasons.join('\n')}\n`).toMatch(ONE_LINE);
  expect(reasons[0]).toContain('occlusion needs at least 2 model calls here, but its budget is 1');
  expect(picturesSent()).toBeLessThanOrEqual(3);
  expect(await explainOne('--budget', '0')).toMatchObject({ code: 2 });
});

test('a server that asks to wait is asked again when the time is over', async () => {
  failing = { n: 3, status: 503, retryAfter: '2' };
  const { code, stderr } = await explainOne('--out', 'patient');
  expect(code, stderr).toBe(0);
  const [, , third, fourth] = inferences;
  expect(fourth?.pictures).toBe(third?.pictures);
  expect((fourth?.at ?? 0) - (third?.at ?? 0)).toBeGreaterThan(1950);
});

test('a request cache on the disk serves a second run without a picture sent', async () => {
  const maps = [];
  for (let run = 0; run < 2; run++) {
    inferences = [];
    const options = { requestCache: join(folder, 'requests'), preprocessing: PREPROCESSING };
    const model = await loadModel(address, options);
    const image = await readImage(join(folder, 'one.png'));
    const request = { method: 'occlusion', options: OPTIONS, target: 0 } as const;
    maps.push((await explain(model, image, request)).map);
    expect(picturesSent()).toBe(run === 0 ? NEEDED : 0);
  }
  expect(maps[1]).toEqual(maps[0]);
});

test('--request-cache serves a second command without a picture sent', async () => {
  const cached = ['--request-cache', 'cached-requests'];
  const first = await explainOne('--out', 'first', ...cached);
  expect(first.code, first.stderr).toBe(0);
  expect(picturesSent()).toBe(NEEDED);
  inferences = [];
  expect(await explainOne('--out', 'second', ...cached, '--budget', '1')).toMatchObject({
    code: 0,
  });
  expect(picturesSent()).toBe(0);
  // With a cache the methods keep their options, and the server still gets no picture too many.
  const short = await explainOne('--out', 'short', '--request-cache', 'new-cache', '--budget', '9');
  expect(short.stderr).toMatch(
    /the budget of 9 model calls is used up \(\d sent, \d+ more wanted\)/,
  );
  expect(picturesSent()).toBeLessThanOrEqual(9);
  const map = (out: string) => readFile(join(folder, out, 'one.occlusion.npy'));
  expect(await map('second')).toEqual(await map('first'));
});

test('an evaluation that goes on counts only the pictures and the time that are left', async () => {
  const evaluate = (limit: string, ...args: string[]) =>
    fovea(
      [
        ...['evaluate', '--dataset', 'demo-scenes', '--limit', limit, '--model', 'demo-cnn'],
        ...['--methods', 'grad-cam', '--metrics', 'iou', '--out', 'counted', ...args],
      ],
      folder,
    );
  const estimateOf = (stderr: string) =>
    /about (\d+) model calls in all \((\d+) a picture\); (\S+ \S+) left/.exec(stderr);
  const [, all, each] = estimateOf((await evaluate('2')).stderr) ?? [];
  expect(Number(all)).toBe(2 * Number(each));
  // Of three pictures two are done: one is left.
  const [, left, perPicture] = estimateOf((await evaluate('3', '--resume')).stderr) ?? [];
  expect(left).toBe(perPicture);
  const again = await evaluate('3', '--resume');
  expect(again).toMatchObject({ code: 0 });
  expect(again.stderr).toContain('are there already');
  expect(estimateOf(again.stderr)).toBeNull();
});
