import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/index.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { explain } from '../../src/explain.ts';
import type { Image } from '../../src/image/image.ts';
import type { Model } from '../../src/model/model.ts';
import { loadModel } from '../../src/node/load-model.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { pearson } from '../../src/tensor/statistics.ts';
import { ROOT } from './modules.ts';
import { type Site, serve } from './site.ts';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const isInstalled = existsSync(CHROMIUM);
if (!isInstalled) console.warn(`the tests of the worker are skipped: there is no ${CHROMIUM}`);

/** The page: it takes what the test calls from `fovea/worker`, without a bundler. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>worker</title><link rel="icon" href="data:,">
<script type="module">
import { createExplainer } from '/dist/worker/index.js';
import { readImage } from '/dist/web/read-image.js';
const startWorker = () => new Worker('/dist/worker/standalone.js', { type: 'module' });
const create = (options) => createExplainer({
  startWorker, wasmPaths: '/node_modules/onnxruntime-web/dist/', ...options });
/** One explainer at a time: the one before is disposed of. */
let last;
const open = async (options) => {
  last?.dispose();
  last = await create(options);
  return last;
};
Object.assign(globalThis, { create, open, readImage });
</script>`;

/** What the page has on its global object, for functions that run there. */
declare const create: typeof import('../../src/worker/index.ts').createExplainer;
declare const open: typeof create;
declare const readImage: typeof import('../../src/web/read-image.ts').readImage;

describe.skipIf(!isInstalled)('a model in a worker, in Chromium', { timeout: 180_000 }, () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let scene: Image;
  let model: Model;
  const problems: string[] = [];

  beforeAll(async () => {
    scene = createScene(await loadSprites(), 88_000_100, { className: 'teapot' }).image;
    const made = new Map<string, string | Uint8Array>([
      ['/', PAGE],
      ['/scene.png', await encodePng(scene)],
      ['/broken.onnx', (await readFile(join(ROOT, 'package.json'))).subarray(0, 500)],
    ]);
    site = await serve(['dist', 'node_modules'], made);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) problems.push(message.text());
    });
    await page.goto(site.address);
    await page.waitForFunction(() => 'create' in globalThis);
    model = await loadModel('demo-cnn');
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await model?.dispose();
  });

  it('describes the model and its methods', async () => {
    const summary = await page.evaluate(async () => {
      const explainer = await open({ threads: 2 });
      return explainer.model;
    });
    expect(summary).toMatchObject({
      name: 'demo-cnn',
      labels: model.labels,
      fingerprint: model.fingerprint,
      runtime: expect.stringMatching(/\(wasm\)$/),
      threads: 2,
    });
    expect(summary.weightLayers).toEqual(await model.inside?.weightLayers());
    const byName = new Map(summary.methods.map((method) => [method.name, method]));
    expect(byName.get('rise')).toMatchObject({ signed: false });
    expect(byName.get('grad-cam')?.obstacle).toBeUndefined();
    expect(byName.get('gae')?.obstacle).toContain('attention');
  });

  it('explains as Node does, with progress and maps, while the page stays responsive', async () => {
    const request = { method: 'rise', options: { N: 120 }, seed: 3 } as const;
    const there = await page.evaluate(async (given) => {
      const explainer = await open();
      const picture = await readImage('/scene.png');
      const shares: number[] = [];
      let partial = 0;
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      const { map, manifest } = await explainer.explain(picture, {
        ...given,
        onProgress: (share) => shares.push(share),
        onMap: () => void partial++,
      });
      clearInterval(timer);
      return { map: map.data, manifest, shares: shares.length, partial, ticks };
    }, request);
    const here = await explain(model, scene, request);
    expect(pearson(there.map, here.map.data)).toBeGreaterThan(0.9999);
    expect(there.manifest.image).toEqual(here.manifest.image);
    expect(there.manifest.modelCalls).toEqual(here.manifest.modelCalls);
    expect(there.shares).toBeGreaterThan(5);
    expect(there.partial).toBe(40);
    expect(there.ticks).toBeGreaterThan(20);
  });

  it('classifies, scores altered copies, measures maps, and finds superpixels', async () => {
    const found = await page.evaluate(async () => {
      const explainer = await open();
      const picture = await readImage('/scene.png');
      const { probabilities, ranking, region } = await explainer.classify(picture);
      const top = ranking[0] ?? -1;
      const windows = Int32Array.from([0, 0, 224, 224, 0, 0, 1, 1]);
      const scores = await explainer.perturb(picture, {
        perturbation: { kind: 'windows', windows, keep: 'outside' },
        targets: [top],
      });
      const { map } = await explainer.explain(picture, { method: 'grad-cam' });
      const made = { method: 'grad-cam' };
      const deletion = await explainer.measure(picture, 'deletion', { map, target: top });
      const sanity = await explainer.measure(picture, 'model-randomization', {
        ...{ map, target: top, made },
        options: { steps: 2 },
      });
      const random = await explainer.explain(picture, { method: 'grad-cam', randomizedLayers: 9 });
      const segments = await explainer.superpixels(picture, 40);
      return {
        ...{ top, region, sanity: sanity.value, deletion: deletion.value },
        best: probabilities[top] ?? 0,
        scores: [...scores.data],
        segments: new Set(segments).size,
        pixels: segments.length,
        same: random.map.data.every((value, i) => value === map.data[i]),
      };
    });
    expect(found.top).toBe(model.labels.indexOf('teapot'));
    expect(found.region).toEqual({ left: 0, top: 0, width: 224, height: 224 });
    expect(found.scores[0]).toBeLessThan(0.5 * found.best);
    expect(found.scores[1]).toBeCloseTo(found.best, 2);
    expect(found.deletion).toBeGreaterThan(0);
    expect(found.deletion).toBeLessThan(found.best);
    expect(Math.abs(found.sanity ?? 2)).toBeLessThanOrEqual(1);
    expect(found.pixels).toBe(224 * 224);
    expect(found.segments).toBeGreaterThan(20);
    expect(found.same).toBe(false);
  });

  it('ends a call soon after it is cancelled, and goes on with the next', async () => {
    const { message, advanced, after } = await page.evaluate(async () => {
      const explainer = await open();
      const picture = await readImage('/scene.png');
      await explainer.classify(picture);
      const controller = new AbortController();
      const shares = [0];
      let cancelledAt = 0;
      setTimeout(() => {
        cancelledAt = shares.at(-1) ?? 0;
        controller.abort();
      }, 800);
      const failure = await explainer
        .explain(picture, {
          method: 'rise',
          signal: controller.signal,
          onProgress: (share) => shares.push(share),
        })
        .then(
          () => 'finished',
          (error) => `${error.name} ${error.code}`,
        );
      const { manifest } = await explainer.explain(picture, { method: 'grad-cam' });
      const last = shares.at(-1) ?? 0;
      return { message: failure, advanced: last - cancelledAt, after: manifest.method };
    });
    expect(message).toBe('FoveaError cancelled');
    // 4000 masks are 125 batches of 32: at most three were under way.
    expect(advanced).toBeLessThan(0.025);
    expect(after).toBe('grad-cam');
  });

  it('ends a sampling method when the page accepts its map', async () => {
    const masks = await page.evaluate(async () => {
      const explainer = await open();
      const picture = await readImage('/scene.png');
      const { manifest } = await explainer.explain(picture, {
        method: 'rise',
        onMap: ({ calls }) => calls >= 200,
      });
      return manifest.extras.masks;
    });
    expect(masks).toBeGreaterThanOrEqual(200);
    expect(masks).toBeLessThan(1000);
  });

  it('loads dropped files, and says what is wrong with others', async () => {
    const found = await page.evaluate(async () => {
      const file = async (name: string, address: string) =>
        new File([await (await fetch(address)).blob()], name);
      const onnx = await file('mine.onnx', '/dist/demo/models/demo-cnn.onnx');
      const json = await file('mine.json', '/dist/demo/models/demo-cnn.json');
      const failure = (model: File[] | string) =>
        create({ model }).then(
          () => 'no error',
          (error) => `${error.code}: ${error.message}`,
        );
      const explainer = await open({ model: [json, onnx] });
      return {
        name: explainer.model.name,
        labels: explainer.model.labels.length,
        warnings: explainer.model.warnings,
        broken: await failure([await file('broken.onnx', '/broken.onnx')]),
        none: await failure([json]),
        several: await failure([onnx, await file('b.onnx', '/broken.onnx')]),
        missing: await failure('gone/model.onnx'),
      };
    });
    expect(found).toMatchObject({ name: 'mine', labels: 32, warnings: [] });
    expect(found.broken).toMatch(/^model: broken: /);
    expect(found.none).toBe(
      'model: the files (mine.json) contain no .onnx file: export the model to ONNX',
    );
    expect(found.several).toContain('contain 2 models (mine.onnx, b.onnx)');
    expect(found.missing).toMatch(/^download: http.*\/gone\/model.onnx could not be fetched/);
    problems.length = 0; // Chromium reports the missing file too
  });

  it('says what is wrong with a request', async () => {
    const failures = await page.evaluate(async () => {
      const explainer = await open();
      const picture = await readImage('/scene.png');
      const failure = (promise: Promise<unknown>) =>
        promise.then(
          () => 'no error',
          (error) => `${error.code}: ${error.message}`,
        );
      return [
        await failure(explainer.explain(picture, { method: 'grad-came' as 'grad-cam' })),
        await failure(explainer.explain(picture, { target: 'top:2' })),
        await failure(explainer.explain(picture, { method: 'gae' })),
        await failure(explainer.explain(picture, { randomizedLayers: 99 })),
      ];
    });
    expect(failures[0]).toMatch(/^usage: .*grad-cam/);
    expect(failures[1]).toMatch(/^usage: .*explainAll/);
    expect(failures[2]).toMatch(/^unsupported: /);
    expect(failures[3]).toMatch(/^usage: randomizedLayers 99: expected a whole number from 0 to/);
  });

  it('ends without errors or warnings on the console', () => {
    expect(problems).toEqual([]);
  });
});
