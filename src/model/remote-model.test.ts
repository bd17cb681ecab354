import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { tensor } from '../tensor/tensor.ts';
import { createRemoteModel } from './remote-model.ts';

interface Infer {
  inputs: { name: string; datatype: string; shape: number[]; data: number[] }[];
  outputs: { name: string }[];
}

/**
 * A server whose model `mean` returns for each picture [mean of the first channel, mean of the
 * last, 0].
 */
let server: Server;
let base: string;
let metadata: Record<string, unknown>;
let batches: Infer[];
let softmax: boolean;
let classes: number;
let largest: number;
let broken: { status: number; body: string } | undefined;

const rows = ({ shape, data }: Infer['inputs'][0]): number[] => {
  const [count, ...rest] = shape.length === 4 ? shape : [1, ...shape];
  const last = rest[2] === 3 || rest[2] === 1;
  const channels = last ? rest[2] : rest[0];
  const size = data.length / count;
  const mean = (n: number, c: number) => {
    const values = data
      .slice(n * size, (n + 1) * size)
      .filter((_, i) => (last ? i % channels : Math.floor(i / (size / channels))) === c);
    return values.reduce((sum, x) => sum + x, 0) / values.length;
  };
  return Array.from({ length: count }, (_, n) =>
    (softmax ? [0.25, 0.5, 0.25] : [mean(n, 0), mean(n, channels - 1), 0]).slice(0, classes),
  ).flat();
};

beforeEach(async () => {
  [batches, softmax, classes, largest, broken] = [[], false, 3, 99, undefined];
  metadata = {
    name: 'mean',
    platform: 'test',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, 4, 6] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
  };
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = (status: number, body: unknown) =>
      response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
    if (broken) return send(broken.status, broken.body);
    if (!request.url?.startsWith('/v2/models/mean')) return send(404, { error: 'unknown model' });
    if (request.method === 'GET') return send(200, metadata);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Infer;
    batches.push(body);
    if (body.inputs[0].shape[0] > largest) return send(413, 'too large');
    const data = rows(body.inputs[0]);
    return send(200, {
      model_name: 'mean',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [data.length / classes, classes], data }],
    });
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

const load = (options = {}, path = '/v2/models/mean') =>
  createRemoteModel(`${base}${path}`, { retryDelay: 1, ...options });
const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );
const input = (channels = 3) =>
  tensor(
    [2, channels, 4, 6],
    Float32Array.from({ length: 2 * channels * 24 }, (_, i) => i),
  );

it('reads the shape from the metadata, and classifies', async () => {
  const model = await load({
    labels: ['first', 'last', 'none'],
    preprocessing: { mean: [0, 0, 0], std: [1, 1, 1] },
  });
  expect(model).toMatchObject({
    name: 'mean',
    output: 'logits',
    labels: ['first', 'last', 'none'],
    warnings: [],
    runtime: expect.stringMatching(/^remote 127.0.0.1:\d+ \(test\)$/),
  });
  expect(model.preprocessing).toMatchObject({ size: [4, 6], mean: [0, 0, 0], colour: 'RGB' });
  const logits = await model.classify(input(), { score: 'logit' });
  expect(logits).toEqual(tensor([2, 3], Float32Array.of(11.5, 59.5, 0, 83.5, 131.5, 0)));
  expect(batches.at(-1)?.inputs[0]).toMatchObject({
    name: 'x',
    datatype: 'FP32',
    shape: [2, 3, 4, 6],
  });
  expect(batches.at(-1)?.outputs).toEqual([{ name: 'y' }]);
  const { data } = await model.classify(input());
  expect(data.subarray(0, 3).reduce((sum, x) => sum + x, 0)).toBeCloseTo(1);
});

it('warns about its assumptions, and recognizes probabilities', async () => {
  softmax = true;
  const model = await load();
  expect(model).toMatchObject({ output: 'probabilities', labels: ['0', '1', '2'] });
  expect(model.warnings).toEqual([
    expect.stringMatching(/no mean and std.*4×6/),
    expect.stringMatching(/no labels/),
  ]);
  expect((await load({ output: 'logits' })).output).toBe('logits');
});

it('supports NHWC, no batch dimension, and grey', async () => {
  metadata.inputs = [{ name: 'x', datatype: 'FP32', shape: [4, 6, 3] }];
  expect((await (await load()).classify(input(), { score: 'logit' })).data).toEqual(
    Float32Array.of(11.5, 59.5, 0, 83.5, 131.5, 0),
  );
  expect(batches.at(-1)?.inputs[0].shape).toEqual([4, 6, 3]);
  metadata.inputs = [{ name: 'x', datatype: 'FP32', shape: ['-1', '1', '-1', '-1'] }];
  const model = await load({ preprocessing: { size: [4, 6], colour: 'RGB' } }).catch((e) => e);
  expect(model).toMatchObject({
    code: 'model',
    message: expect.stringContaining('takes 1 channels, its preprocessing makes 3'),
  });
  const grey = await load({
    preprocessing: { size: [4, 6], colour: 'grey', mean: [0.5], std: [0.5] },
  });
  expect((await grey.classify(input(1), { score: 'logit' })).data).toEqual(
    Float32Array.of(11.5, 11.5, 0, 35.5, 35.5, 0),
  );
});

it('sends smaller batches if the server refuses large ones', async () => {
  const model = await load();
  largest = 1;
  expect((await model.classify(input(), { score: 'logit' })).shape).toEqual([2, 3]);
  expect(batches.slice(1).map((b) => b.inputs[0].shape[0])).toEqual([2, 1, 1]);
});

it('accepts addresses with a version, and refuses others', async () => {
  expect((await load({}, '/v2/models/mean/versions/2/infer')).fingerprint).toBe(
    `${base}/v2/models/mean/versions/2`,
  );
  expect(await errorOf(load({}, '/mean'))).toMatch(
    /^usage: .*expected the Open Inference Protocol, http\(s\):\/\/HOST\/v2\/models\/NAME/,
  );
  expect(await errorOf(createRemoteModel('ftp://host/v2/models/x'))).toMatch(/^usage/);
});

it('says what is wrong with a server', async () => {
  expect(await errorOf(load({}, '/v2/models/other'))).toMatch(
    /^model: 127.0.0.1:\d+ has no model other \(HTTP 404\): unknown model$/,
  );
  broken = { status: 500, body: '{"error":"on fire\\nstack"}' };
  expect(await errorOf(load())).toMatch(
    /^runtime: .*could not describe mean \(HTTP 500\): on fire$/,
  );
  broken = { status: 401, body: '' };
  expect(await errorOf(load())).toMatch(
    /^runtime: .*refuses access to mean \(HTTP 401\); pass headers.authorization$/,
  );
  broken = { status: 200, body: '<html>hello' };
  expect(await errorOf(load())).toMatch(
    /^runtime: .*did not send JSON \(it starts "<html>hello"\)/,
  );
  broken = { status: 200, body: '{"name":"mean"}' };
  expect(await errorOf(load())).toMatch(
    /^runtime: .*that the Open Inference Protocol does not allow: inputs: /,
  );
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  expect(await errorOf(createRemoteModel(`http://127.0.0.1:${port}/v2/models/mean`))).toMatch(
    /^runtime: the model server 127.0.0.1:\d+ cannot be reached \(ECONNREFUSED\)/,
  );
});

it.each([
  [
    { inputs: [{ name: 'x', datatype: 'UINT8', shape: [-1, 3, 4, 6] }] },
    /^unsupported: mean takes UINT8/,
  ],
  [
    { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 10] }] },
    /^model: mean is not an image classifier: its input x is \[-1,10\]/,
  ],
  [{ inputs: [] }, /^model: .*it has 0 inputs/],
  [{ inputs: [{ name: 'x', datatype: 'FP32', shape: [4, 3, 4, 6] }] }, /^unsupported: .*exactly 4/],
  [
    { outputs: [{ name: 'boxes', datatype: 'FP32', shape: [-1, 100, 4] }] },
    /^model: .*its outputs are boxes \[-1,100,4\]/,
  ],
])('refuses %j', async (change, message) => {
  Object.assign(metadata, change);
  expect(await errorOf(load())).toMatch(message);
});

it('adds a class for a low score if there is one score', async () => {
  classes = 1;
  metadata.outputs = [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }];
  const preprocessing = { mean: [0, 0, 0], std: [1, 1, 1] };
  const model = await load({ labels: ['defect'], preprocessing });
  expect(model.labels).toEqual(['not defect', 'defect']);
  const [first, second] = [11.5, 83.5]; // the mean of the first channel of each picture
  const logits = await model.classify(input(), { score: 'logit' });
  expect(logits.data).toBeAllClose([-first, first, -second, second]);
  expect((await load({ preprocessing })).labels).toEqual(['0', '1']);
  expect(await errorOf(load({ labels: ['a', 'b', 'c'] }))).toMatch(
    /^model: mean has 2 classes, but 3 labels/,
  );
});

it('checks the number of labels, and can be cancelled', async () => {
  expect(await errorOf(load({ labels: ['a'] }))).toMatch(
    /^model: mean has 3 classes, but 1 labels/,
  );
  expect(await errorOf(load({ signal: AbortSignal.abort() }))).toMatch(/^cancelled: /);
});
