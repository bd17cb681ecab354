import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/index.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { graphBuilder, modelOf, writeModel } from '../../src/onnx/index.ts';
import { canRun, startBrowser } from '../studio/studio.ts';
import { type Site, serve } from './site.ts';

/** The page: `tryModel` loads a model and explains a picture, and returns the end of it. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>faults</title><link rel="icon" href="data:,">
<script type="module">
import { createExplainer } from '/dist/worker/index.js';
import { readImage } from '/dist/web/read-image.js';
globalThis.tryModel = async (options) => {
  try {
    const explainer = await createExplainer({
      startWorker: () => new Worker('/dist/worker/standalone.js', { type: 'module' }),
      wasmPaths: '/node_modules/onnxruntime-web/dist/',
      ...options,
    });
    const { threads } = explainer.model;
    const { map, target } = await explainer.explain(await readImage('/scene.png'), { method: 'grad-cam' });
    explainer.dispose();
    return { threads, label: target.label, pixels: map.data.length };
  } catch ({ code, message }) {
    return { code, message };
  }
};
</script>`;

declare const tryModel: (
  options: import('../../src/worker/index.ts').ExplainerOptions,
) => Promise<Readonly<Record<string, unknown>>>;

const PICTURE = ['n', 3, 64, 64];

/** A detector: boxes and their scores. */
function detector(): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('x', 'float32', PICTURE);
  const rows = builder.add('Reshape', [x, builder.constant(BigInt64Array.of(0n, -1n, 64n))]);
  const weight = (columns: number) =>
    builder.constant(new Float32Array(64 * columns).fill(0.1), [64, columns]);
  builder.add('MatMul', [rows, weight(4)], {}, 'boxes');
  builder.add('Sigmoid', [builder.add('MatMul', [rows, weight(80)])], {}, 'scores');
  builder.output('boxes', 'float32', ['n', 192, 4]);
  builder.output('scores', 'float32', ['n', 192, 80]);
  return writeModel(modelOf(builder.finish()));
}

/** A classifier of 200 MB, nearly all of it in one matrix. */
function large(): Uint8Array {
  const builder = graphBuilder({ opset: 13 });
  const x = builder.input('x', 'float32', PICTURE);
  const kernel = builder.constant(new Float32Array(8 * 27).fill(0.1), [8, 3, 3, 3]);
  const conv = builder.add('Conv', [x, kernel], { strides: [4, 4], pads: [1, 1, 1, 1] });
  const pixels = builder.add('Flatten', [builder.add('Relu', [conv])]);
  const matrix = new Float32Array(2048 * 24_576);
  for (let i = 0; i < matrix.length; i += 97) matrix[i] = 0.01;
  const weights = builder.initializer({
    name: 'weights',
    type: 'float32',
    dims: [2048, 24_576],
    data: { kind: 'raw', bytes: new Uint8Array(matrix.buffer) }, // as it lies in a file
    otherFields: [],
  });
  const hidden = builder.add('MatMul', [pixels, weights]);
  const last = Float32Array.from({ length: 24_576 * 3 }, (_, i) => (i % 3 === 1 ? 0.001 : -0.001));
  builder.add('MatMul', [hidden, builder.constant(last, [24_576, 3])], {}, 'y');
  builder.output('y', 'float32', ['n', 3]);
  return writeModel(modelOf(builder.finish()));
}

describe.skipIf(!canRun())('faults in a page', { timeout: 300_000 }, () => {
  const sites: Site[] = [];
  let browser: Browser;
  let page: Page;
  const problems: string[] = [];
  const made = new Map<string, string | Uint8Array>([
    ['/', PAGE],
    ['/broken.onnx', new TextEncoder().encode('not a model at all')],
    ['/cut.onnx', detector().subarray(0, 1000)],
    ['/detector.onnx', detector()],
  ]);

  /** Opens the page on a server with some headers. */
  async function open(headers?: Readonly<Record<string, string>>): Promise<void> {
    const site = await serve(['dist', 'node_modules'], made, headers);
    sites.push(site);
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    await page.goto(site.address);
    await page.waitForFunction(() => 'tryModel' in globalThis);
  }

  /** What becomes of a model, and of the demo model on the same page afterwards. */
  async function tryAndGoOn(model: string) {
    const found = await page.evaluate((source) => tryModel({ model: source }), model);
    const after = await page.evaluate(() => tryModel({}));
    expect(after).toMatchObject({ label: 'teapot' });
    return found;
  }

  beforeAll(async () => {
    const { image } = createScene(await loadSprites(), 88_000_100, { className: 'teapot' });
    made.set('/scene.png', await encodePng(image));
    browser = await startBrowser();
    await open();
  });

  afterAll(async () => {
    expect(problems).toEqual([]);
    await browser?.close();
    await Promise.all(sites.map((site) => site.close()));
  });

  it('says that a file is no model, or only a part of one, and goes on', async () => {
    expect(await tryAndGoOn('/broken.onnx')).toMatchObject({
      code: 'model',
      message: expect.stringMatching(/^broken: /),
    });
    expect(await tryAndGoOn('/cut.onnx')).toMatchObject({
      code: 'model',
      message: expect.stringMatching(/^cut: /),
    });
  });

  it('says that a detector is not a classifier, and goes on', async () => {
    expect(await tryAndGoOn('/detector.onnx')).toMatchObject({
      code: 'model',
      message: expect.stringMatching(/^detector: .*not an image classifier/),
    });
  });

  it('explains with a model of 200 MB', async () => {
    made.set('/large.onnx', large());
    expect(await tryAndGoOn('/large.onnx')).toMatchObject({ label: '1', pixels: 64 * 64 });
  });

  it('uses one thread without SharedArrayBuffer, whatever was asked for', async () => {
    await open({});
    const found = await page.evaluate(async () => ({
      has: 'SharedArrayBuffer' in globalThis,
      result: await tryModel({ threads: 4 }),
    }));
    expect(found).toMatchObject({ has: false, result: { threads: 1, label: 'teapot' } });
  });
});
