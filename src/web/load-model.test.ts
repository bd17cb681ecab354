import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { graphBuilder, modelOf, writeModel } from '../onnx/index.ts';
import { loadModel } from './load-model.ts';

/** Logits of three classes: the channel means of an 8×8 picture. */
function network(): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('pixels', 'float32', ['n', 3, 8, 8]);
  builder.add('Flatten', [builder.add('GlobalAveragePool', [x])], {}, 'logits');
  builder.output('logits', 'float32', ['n', 3]);
  return writeModel(modelOf(builder.finish()));
}

let server: Server;
let base: string;
let files: Map<string, string | Uint8Array>;

beforeEach(async () => {
  files = new Map([['/m/net.onnx', network()]]);
  server = createServer((request, response) => {
    const body = files.get(new URL(request.url ?? '', 'http://x').pathname);
    // a single-page application's server: its page for whatever is missing
    if (body === undefined)
      return void response
        .writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
        .end('<!doctype html>');
    response
      .writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': body.length })
      .end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );

it('loads a file by its address, and what lies beside it', async () => {
  files.set(
    '/m/net.json',
    JSON.stringify({ labels: ['r', 'g', 'b'], input: { size: [8, 8], mean: [0], std: [1] } }),
  );
  const shares: number[] = [];
  const model = await loadModel(`${base}/m/net.onnx?token=1`, {
    threads: 1,
    onProgress: (share) => shares.push(share),
  });
  expect(model).toMatchObject({
    name: 'net',
    labels: ['r', 'g', 'b'],
    warnings: [],
    runtime: expect.stringMatching(/^onnxruntime-web .* \(wasm\)$/),
  });
  expect(shares.at(-1)).toBe(1);
  await model.dispose();
});

it('reads the Hugging Face layout', async () => {
  files
    .set('/hf/onnx/model.onnx', network())
    .set('/hf/config.json', JSON.stringify({ id2label: { 0: 'r', 1: 'g', 2: 'b' } }));
  const model = await loadModel(new URL(`${base}/hf/onnx/model.onnx`), { threads: 1 });
  expect(model.labels).toEqual(['r', 'g', 'b']);
  expect(model.warnings).toHaveLength(1);
  await model.dispose();
});

it('loads bytes', async () => {
  const model = await loadModel(network(), {
    threads: 1,
    name: 'mine',
    labels: ['r', 'g', 'b'],
    preprocessing: { mean: [0, 0, 0] },
  });
  expect(model).toMatchObject({ name: 'mine', warnings: [] });
  await model.dispose();
});

it('reports what is wrong', async () => {
  expect(await errorOf(loadModel(`${base}/gone.onnx`))).toMatch(
    /^model: .*gone.onnx is a web page, not an ONNX file: expected the address of an .onnx file/,
  );
  expect(await errorOf(loadModel('net'))).toMatch(
    /^usage: "net" is not a model: expected the address .* demo model .*; use loadModel of fovea\/node on a server$/,
  );
  expect(await errorOf(loadModel(`${base}/v2/models/net`))).toMatch(
    /^runtime: .*did not send JSON/,
  );
  const { port } = server.address() as AddressInfo;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await errorOf(loadModel(`http://127.0.0.1:${port}/net.onnx`))).toMatch(
    /^download: .*could not be fetched .*: check the address and the connection, or use loadModel of fovea\/node on a server$/,
  );
  vi.stubGlobal('location', new URL('http://page.example/'));
  expect(await errorOf(loadModel(`http://127.0.0.1:${port}/net.onnx`))).toMatch(/CORS/);
  vi.unstubAllGlobals();
});

it('says that a page without the demo models, or without WebGPU, imports them', async () => {
  expect(await errorOf(loadModel('demo-cnn'))).toBe(
    "usage: the files of demo-cnn are not part of this page: import 'fovea/web/demo-models' too",
  );
  expect(await errorOf(loadModel(network(), { device: 'webgpu' }))).toBe(
    "usage: the device webgpu needs the build of ONNX Runtime with WebGPU: import 'fovea/web/webgpu'",
  );
});
