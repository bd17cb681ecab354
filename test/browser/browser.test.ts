import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import {
  type ExplainOptions,
  encodePng,
  explain,
  type Image,
  inputRegion,
  loadModel,
  type Model,
  preprocess,
  readImage,
  VERSION,
} from '../../src/node.ts';
import { pearson } from '../../src/tensor/index.ts';
import { overlay } from '../../src/visualize/index.ts';
import { haveChromium, launch } from './chromium.ts';
import { pageOf, type Site, serve } from './site.ts';

const FIXTURES = fileURLToPath(new URL('../../src/node/fixtures/', import.meta.url));

/** Few model calls, but every part of each method. */
const REQUESTS: readonly ExplainOptions[] = [
  { method: 'occlusion', options: { window: 56, stride: 28 } },
  { method: 'rise', options: { N: 80 }, seed: 3 },
  {
    method: 'iassa',
    options: { calls: 120 },
  },
  { method: 'grad-cam' },
  { method: 'iia', options: { steps: 5 } },
  { method: 'integrated-gradients', options: { steps: 5 } },
  { method: 'guided-backprop' },
];

interface Drawn {
  readonly data: Uint8Array;
  readonly map: Float32Array;
  readonly signed: boolean;
}

interface Explained {
  readonly map: Float32Array;
  readonly target: { readonly index: number; readonly label: string; readonly probability: number };
  readonly calls: number;
}

const spread = (values: Float32Array): number =>
  values.reduce((a, b) => Math.max(a, b)) - values.reduce((a, b) => Math.min(a, b));

describe.skipIf(!haveChromium)('in Chromium, without a bundler', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  let model: Model;
  let scene: Image;
  const problems: string[] = [];

  /** Runs one of the page's calls; `calls` is what page.mjs leaves on its global object. */
  const call = <T>(name: string, ...args: unknown[]) =>
    page.evaluate(
      ([key, given]) =>
        (globalThis as unknown as { calls: Record<string, (...all: unknown[]) => T> }).calls[key](
          ...given,
        ),
      [name, args] as const,
    );

  beforeAll(async () => {
    scene = createScene(await loadSprites(), 88_000_100, { className: 'teapot' }).image;
    const html = pageOf(
      ['fovea/methods', 'fovea/web', 'fovea/web/demo-models'],
      '/test/browser/page.mjs',
    );
    const made = new Map<string, string | Uint8Array>([
      ['/', html],
      ['/scene.png', await encodePng(scene)],
    ]);
    site = await serve(['dist', 'node_modules', 'test/browser', 'src/node/fixtures'], made);
    browser = await launch();
    page = await browser.newPage({ viewport: { width: 400, height: 300 } });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on(
      'console',
      (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()),
    );
    await page.goto(site.address, { waitUntil: 'load' });
    await page
      .waitForFunction(() => 'calls' in globalThis, undefined, { timeout: 30_000 })
      .catch(() => {
        throw new Error(`the page's modules do not load: ${problems.join('; ') || 'no message'}`);
      });
    model = await loadModel('demo-cnn');
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    await model?.dispose();
  });

  it('imports from bare specifiers on a cross-origin isolated page', async () => {
    expect(await call('about')).toEqual({ version: VERSION, isolated: true, exports: true });
  });

  it('loads the embedded model', async () => {
    const { name, labels, fingerprint, warnings } = model;
    expect(await call('load')).toMatchObject({
      name,
      labels,
      fingerprint,
      warnings,
      runtime: expect.stringMatching(/^onnxruntime-web .* \(wasm\)$/),
      loaded: 1,
    });
  });

  it('reads a PNG to the very pixels, and makes the very tensor that Node makes', async () => {
    const read = await call<Image>('read', '/scene.png');
    expect([read.width, read.height]).toEqual([scene.width, scene.height]);
    expect(read.data).toBeAllClose(scene.data, { rtol: 0, atol: 0 });
    expect(await call<Float32Array>('pixels', '/scene.png')).toBeAllClose(
      preprocess(scene, model.preprocessing).data,
      { rtol: 0, atol: 0 },
    );
  });

  // a canvas stores colours multiplied by alpha, which may cost one step of 255
  it.each([
    ['rgba.png', 1],
    ['palette-transparent.png', 1],
    ['colour-420.jpg', 2],
    ['orientation-6.jpg', 2],
    ['orientation-3.jpg', 2],
  ])('reads %s upright, over white, as Node does', async (file, allowed) => {
    const read = await call<Image>('read', `/src/node/fixtures/${file}`);
    const expected = await readImage(`${FIXTURES}${file}`);
    expect([read.width, read.height]).toEqual([expected.width, expected.height]);
    expect(read.data).toBeAllClose(expected.data, { rtol: 0, atol: allowed });
  });

  it('says what is wrong with what it cannot read', async () => {
    expect(await call('failure', '/src/node/fixtures/expected.json')).toMatch(
      /^FoveaError image: .*damaged or in a format/,
    );
    expect(await call('failure', '/gone.png')).toMatch(
      /^FoveaError image: \/gone.png cannot be fetched: HTTP 404$/,
    );
    problems.length = 0; // Chromium reports the missing file too
  });

  it.each(REQUESTS)('$method: the map that Node computes', async (request) => {
    const there = await call<Explained>('explain', '/scene.png', request);
    const here = await explain(model, scene, request);
    expect(there.target).toMatchObject({ index: here.target.index, label: here.target.label });
    expect(there.target.probability).toBeCloseTo(here.target.probability, 4);
    expect(there.calls).toBe(here.manifest.modelCalls.forward);
    expect(pearson(there.map, here.map.data)).toBeGreaterThan(0.9999);
    expect(there.map).toBeAllClose(here.map.data, { rtol: 0, atol: 1e-3 * spread(here.map.data) });
  });

  it.each([
    [REQUESTS[0], true],
    [REQUESTS[1], false],
  ])('draws an <img> and the map of $method on a canvas', async (request, signed) => {
    const drawn = await call<Drawn>('draw', '/scene.png', request);
    expect(drawn.signed).toBe(signed);
    const shot = await readImage(await page.locator('canvas').screenshot());
    const shape = model.preprocessing.size;
    const region = inputRegion(scene.width, scene.height, model.preprocessing);
    const wanted = overlay(scene, { shape, data: drawn.map }, { region, signed });
    expect([shot.width, shot.height]).toEqual([scene.width, scene.height]);
    expect(wanted.data).not.toBeAllClose(scene.data, { rtol: 0, atol: 50 });
    expect(drawn.data).toBeAllClose(wanted.data, { rtol: 0, atol: 0 });
    expect(shot.data).toBeAllClose(wanted.data, { rtol: 0, atol: 1 });
  });

  it('explains pictures as a page has them, and says what else to do', async () => {
    const { read, ...others } = await call<Record<string, number>>('explainForms', '/scene.png');
    expect(Object.keys(others)).toHaveLength(6);
    for (const [form, largest] of Object.entries(others))
      expect(largest, form).toBeCloseTo(read as number, 4);
    expect(await call<string>('refusal')).toMatch(
      /^FoveaError: expected a picture .* got HTMLBodyElement: pass what readImage returns$/,
    );
  });

  it('ends without errors or warnings on the console', async () => {
    await call('dispose');
    expect(problems).toEqual([]);
  });
});
