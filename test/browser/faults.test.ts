import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/index.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { canRun, startBrowser } from '../studio/studio.ts';
import { detector, largeModel } from './models.ts';
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
    made.set('/large.onnx', largeModel());
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
