import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EMBEDDED_MODELS } from '../model/files/model-files.ts';
import type { Model } from '../model/model.ts';
import { graphBuilder, type Initializer, modelOf, writeModel } from '../onnx/index.ts';
import { tensor } from '../tensor/tensor.ts';
import { type LoadModelOptions, loadModel, resolveModel } from './load-model.ts';

const WEIGHTS = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1);

/**
 * Logits of four classes from the channel means of an 8×8 picture; with `location`, the weights
 * are in another file.
 */
function network(location?: string): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('pixels', 'float32', ['n', 3, 8, 8]);
  const flat = builder.add('Flatten', [builder.add('GlobalAveragePool', [x])]);
  const outside: Initializer = {
    name: 'w',
    type: 'float32',
    dims: [4, 3],
    data: { kind: 'external', location: location ?? '', offset: 0, length: 48 },
    otherFields: [],
  };
  const weights =
    location === undefined ? builder.constant(WEIGHTS, [4, 3]) : builder.initializer(outside);
  builder.add('Gemm', [flat, weights], { transB: 1 }, 'logits');
  builder.output('logits', 'float32', ['n', 4]);
  return writeModel(modelOf(builder.finish()));
}

const LABELS = ['red', 'green', 'blue', 'grey'];
const json = (value: unknown) => JSON.stringify(value);
const config = json({
  model_type: 'vit',
  id2label: Object.fromEntries(LABELS.map((label, i) => [i, label])),
});
const preprocessor = json({
  image_processor_type: 'ViTImageProcessor',
  size: { height: 8, width: 8 },
  image_mean: [0, 0, 0],
  image_std: [1, 1, 1],
});
const own = json({
  labels: LABELS,
  input: { size: [8, 8], mean: [0, 0, 0], std: [1, 1, 1], colour: 'BGR', scale: '0-255' },
});

let folder: string;
let loaded: Model[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-load-'));
  loaded = [];
});

afterEach(async () => {
  await Promise.all(loaded.map((model) => model.dispose()));
  await rm(folder, { recursive: true, force: true });
});

async function put(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

async function load(source: string, options?: LoadModelOptions): Promise<Model> {
  const model = await loadModel(source, { threads: 1, ...options });
  loaded.push(model);
  return model;
}

const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (e: { code: string; message: string }) => `${e.code}: ${e.message}`,
  );

describe('a file', () => {
  it('takes labels and preprocessing from NAME.json', async () => {
    await put({
      'net.onnx': network(),
      'net.json': own,
      'config.json': '{"id2label":{"0":"wrong"}}',
    });
    const model = await load(join(folder, 'net.onnx'));
    expect(model).toMatchObject({
      name: 'net',
      labels: LABELS,
      output: 'logits',
      warnings: [],
      preprocessing: { colour: 'BGR', scale: '0-255', size: [8, 8] },
    });
    expect(model.runtime).toMatch(/^onnxruntime-node .* \(cpu\)$/);
    const { data } = await model.classify(
      tensor([1, 3, 8, 8], new Float32Array(192).fill(2, 64, 128)),
      { score: 'logit' },
    );
    expect([...data]).toEqual([0, 2, 0, 2]);
  });

  it('takes them from config.json and preprocessor_config.json beside it', async () => {
    await put({
      'net.onnx': network(),
      'config.json': config,
      'preprocessor_config.json': preprocessor,
    });
    expect(await load(join(folder, 'net.onnx'))).toMatchObject({
      labels: LABELS,
      warnings: [],
      preprocessing: { mean: [0, 0, 0] },
    });
  });

  it('fills up NAME.json from the others', async () => {
    await put({
      'net.onnx': network(),
      'net.json': json({ labels: ['a', 'b', 'c', 'd'] }),
      'config.json': config,
      'preprocessor_config.json': preprocessor,
    });
    expect(await load(join(folder, 'net.onnx'))).toMatchObject({
      labels: ['a', 'b', 'c', 'd'],
      warnings: [],
      preprocessing: { std: [1, 1, 1] },
    });
  });

  it('works alone, with warnings', async () => {
    await put({ 'net.onnx': network() });
    const model = await load(join(folder, 'net.onnx'));
    expect(model.labels).toEqual(['0', '1', '2', '3']);
    expect(model.warnings).toHaveLength(2);
  });

  it('uses the options of the caller', async () => {
    await put({ 'net.onnx': network(), 'net.json': own });
    const model = await load(join(folder, 'net.onnx'), {
      labels: ['1', '2', '3', '4'],
      preprocessing: { colour: 'RGB' },
      output: 'probabilities',
    });
    expect(model).toMatchObject({
      labels: ['1', '2', '3', '4'],
      output: 'probabilities',
      preprocessing: { colour: 'RGB', scale: '0-255' },
    });
    expect(
      await errorOf(load(join(folder, 'net.onnx'), { preprocessing: { colour: 'CMYK' } as never })),
    ).toMatch(/^usage: preprocessing.colour = "CMYK": expected "RGB" /);
    expect(
      await errorOf(
        load(join(folder, 'net.onnx'), {
          device: process.platform === 'darwin' ? 'dml' : 'coreml',
        }),
      ),
    ).toMatch(/^runtime: the device /);
  });

  it('reads weights from the files it names, in its folder only', async () => {
    const weights = new Uint8Array(WEIGHTS.buffer);
    await put({
      'a/net.onnx': network('net.data'),
      'a/net.data': weights,
      'a/evil.onnx': network('../net.data'),
      'net.data': weights,
      'a/gone.onnx': network('gone.data'),
    });
    const model = await load(join(folder, 'a/net.onnx'));
    expect([
      ...(
        await model.classify(tensor([1, 3, 8, 8], new Float32Array(192).fill(1)), {
          score: 'logit',
        })
      ).data,
    ]).toEqual([1, 1, 1, 3]);
    const gradient = await model.inside?.gradients({
      batch: tensor([1, 3, 8, 8], new Float32Array(192).fill(1)),
      wrt: ['input'],
      targets: [1],
    });
    // Each pixel's share in the mean of the second channel.
    gradient?.gradients[0].data.forEach((value, i) =>
      expect(value).toBeCloseTo(i >= 64 && i < 128 ? 1 / 64 : 0, 7),
    );
    expect(gradient?.gradients[0].data).toHaveLength(192);
    await put({ 'b/net.onnx': network('net.data'), 'b/net.data': weights.map((byte) => byte ^ 1) });
    const withOtherWeights = await load(join(folder, 'b/net.onnx'));
    expect(withOtherWeights.fingerprint).not.toBe(model.fingerprint);
    expect(await errorOf(load(join(folder, 'a/evil.onnx')))).toMatch(
      /^model: evil: .*outside its folder \(\.\.\/net\.data\)/,
    );
    expect(await errorOf(load(join(folder, 'a/gone.onnx')))).toMatch(
      /^model: gone: its weights are in the file gone.data, which is missing/,
    );
  });

  it('says what is wrong with it', async () => {
    await put({
      'bad.onnx': 'no model',
      'empty.onnx': '',
      'net.pt': 'x',
      'a.onnx': network(),
      'a.json': '{',
      'b.onnx': network(),
      'b.json': json({ labels: ['one'] }),
    });
    expect(await errorOf(load(join(folder, 'gone.onnx')))).toMatch(
      /^model: the model file .*gone.onnx does not exist$/,
    );
    expect(await errorOf(load(join(folder, 'bad.onnx')))).toMatch(/^model: bad: /);
    expect(await errorOf(load(join(folder, 'empty.onnx')))).toMatch(
      /^model: empty: not an ONNX model: the file is empty/,
    );
    expect(await errorOf(load(join(folder, 'net.pt')))).toMatch(
      /^model: .*net.pt is a PyTorch file: export the model to ONNX first$/,
    );
    expect(await errorOf(load(join(folder, 'a.onnx')))).toMatch(/^model: a.json is not JSON: /);
    expect(await errorOf(load(join(folder, 'b.onnx')))).toMatch(
      /^model: b has 4 classes, but 1 labels/,
    );
  });
});

describe('a folder', () => {
  it('in Hugging Face layout', async () => {
    await put({
      'vit-tiny/config.json': config,
      'vit-tiny/preprocessor_config.json': preprocessor,
      'vit-tiny/onnx/model.onnx': network(),
      'vit-tiny/onnx/model_fp16.onnx': network(),
    });
    expect(await load(join(folder, 'vit-tiny'))).toMatchObject({
      name: 'vit-tiny',
      labels: LABELS,
      warnings: [],
    });
    expect(await load(join(folder, 'vit-tiny'), { file: 'onnx/model_fp16.onnx' })).toMatchObject({
      name: 'model_fp16',
      labels: LABELS,
      warnings: [],
    });
    expect(await load(join(folder, 'vit-tiny/onnx/model.onnx'))).toMatchObject({
      name: 'vit-tiny',
      labels: LABELS,
      warnings: [],
    });
  });

  it('with one model of any name, and with none or several', async () => {
    await put({
      'one/net.onnx': network(),
      'none/readme': '',
      'two/a.onnx': network(),
      'two/b.onnx': network(),
    });
    expect((await load(join(folder, 'one'))).name).toBe('net');
    expect(await errorOf(load(join(folder, 'none')))).toMatch(
      /^model: the folder .*none contains no model: expected onnx\/model.onnx, model.onnx or one/,
    );
    expect(await errorOf(load(join(folder, 'two')))).toMatch(
      /^usage: the folder .*two contains several models \(a.onnx, b.onnx\)/,
    );
    expect(await errorOf(load(join(folder, 'two'), { file: 'c.onnx' }))).toMatch(
      /^model: .*c.onnx does not exist/,
    );
  });
});

describe('a name', () => {
  it.each(EMBEDDED_MODELS)('%s comes with Fovea', async (name) => {
    const path = fileURLToPath(new URL(`../demo/models/${name}.onnx`, import.meta.url));
    if (!existsSync(path)) return expect(await errorOf(load(name))).toMatch(/does not exist/);
    const model = await load(name);
    expect(model).toMatchObject({ name, warnings: [] });
    expect(model.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  it('that does not exist: the error lists the models', async () => {
    expect(await errorOf(load('demo-cmm'))).toMatch(
      /^model: there is no model "demo-cmm": did you mean "demo-cnn"\? expected demo-cnn, demo-cnn-biased, demo-vit, an .onnx file, /,
    );
    expect(await errorOf(load(''))).toMatch(/^model: there is no model ""/);
  });

  it('organisation/name is a model of the hub, unless it is a path', async () => {
    expect(await errorOf(load('org/net', { offline: true, cacheDir: folder }))).toMatch(
      /^download: offline, and /,
    );
    const files: Record<string, string | Uint8Array> = {
      '/org/net/resolve/main/config.json': config,
      '/org/net/resolve/main/preprocessor_config.json': preprocessor,
      '/org/net/resolve/main/onnx/model.onnx': network(),
    };
    const server = createServer((request, response) =>
      response.writeHead(files[request.url ?? ''] ? 200 : 404).end(files[request.url ?? '']),
    );
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const shares: number[] = [];
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(
      await load('org/net', {
        cacheDir: folder,
        endpoint,
        onProgress: ({ file, bytes, total }) =>
          file.endsWith('.onnx') && shares.push(bytes / (total ?? 1)),
      }),
    ).toMatchObject({
      name: 'org/net',
      labels: LABELS,
      warnings: [],
    });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    expect(await load('org/net', { cacheDir: folder, offline: true })).toMatchObject({
      name: 'org/net',
    });
    expect(shares.at(-1)).toBeGreaterThan(0);
  });

  it('scores no more pictures than its budget', async () => {
    const model = await load('demo-cnn', { budget: 2 });
    const pictures = (count: number) => tensor([count, 3, 224, 224]);
    await model.classify(pictures(1));
    await expect(model.classify(pictures(2))).rejects.toThrow(
      'the budget of 2 model calls is used up (1 made, 2 more wanted)',
    );
    await model.classify(pictures(1));
    expect(await errorOf(load('demo-cnn', { budget: 0 }))).toMatch(/^usage: budget 0: expected/);
  });

  it('can be cancelled', async () => {
    expect(await errorOf(load('demo-cnn', { signal: AbortSignal.abort() }))).toMatch(
      /^cancelled: /,
    );
  });

  it('http(s) is a model server', async () => {
    expect(await errorOf(resolveModel('http://127.0.0.1/v2/models/net'))).toMatch(
      /^unsupported: .*a model on a server/,
    );
    expect(await errorOf(load('http://127.0.0.1/net'))).toMatch(
      /^usage: .*Open Inference Protocol/,
    );
  });
});

const shared = fileURLToPath(new URL('../../../shared/models/', import.meta.url));
it.skipIf(!existsSync(shared))(
  'loads the shared models (skipped where ../shared/models is absent)',
  async () => {
    for (const name of ['mobilenet_v2', 'squeezenet', 'darknet_tiny', 'bird_mobilenet_v2']) {
      const model = await load(join(shared, `${name}.onnx`));
      expect(model).toMatchObject({ name, warnings: [], output: 'logits' });
    }
  },
);
