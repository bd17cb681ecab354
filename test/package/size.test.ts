import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Page } from 'playwright-core';
import { build, type Rollup } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { encodePng } from '../../src/node.ts';
import { haveChromium, launch } from '../browser/chromium.ts';
import { ROOT } from '../browser/modules.ts';
import { pageOf, type Site, serve } from '../browser/site.ts';

/** A page that explains a picture with one method, as its author writes it. */
const PAGE = `
import { explain, loadModel, readImage } from 'fovea/web';
import { gradCam } from 'fovea/methods/grad-cam';
async function show(picture) {
  const model = await loadModel('/model.onnx');
  const { target } = await explain(model, await readImage(picture), { method: gradCam });
  document.title = target.label;
}
show('/picture.png').catch((error) => { document.title = error; });`;

/** Most bytes of JavaScript that the page fetches beside ONNX Runtime, each file gzipped. */
const MOST_BYTES = 60_000;

/** Bundles the page with Vite as it is, and returns its files of JavaScript. */
async function bundle(): Promise<Rollup.OutputChunk[]> {
  const result = await build({
    root: ROOT,
    configFile: false,
    logLevel: 'silent',
    publicDir: false,
    build: {
      write: false,
      assetsInlineLimit: 0,
      rollupOptions: { input: 'page', external: /^onnxruntime-web/ },
    },
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? '\0page' : undefined),
        load: (id) => (id === '\0page' ? PAGE : undefined),
      },
    ],
  });
  const [{ output }] = [result].flat() as Rollup.RollupOutput[];
  return output.filter((file) => file.type === 'chunk');
}

/** The modules of Fovea in some files: `methods/grad-cam.js`. */
const modulesIn = (files: readonly Rollup.OutputChunk[]): string[] =>
  files.flatMap((file) =>
    Object.keys(file.modules).flatMap((id) => id.match(/\/dist\/(.*)$/)?.[1] ?? []),
  );

describe.skipIf(!haveChromium)('a page that explains with Grad-CAM', () => {
  let chunks: Rollup.OutputChunk[];
  let site: Site;
  let browser: Browser;

  beforeAll(async () => {
    if (!existsSync(join(ROOT, 'dist/web.js')))
      throw new Error('dist is missing: run npm run build first');
    chunks = await bundle();
    const entry = chunks.find((chunk) => chunk.isEntry);
    const { image } = createScene(await loadSprites(), 3, { className: 'teapot' });
    const model = join(ROOT, 'src/demo/models/demo-cnn');
    const made = new Map<string, string | Uint8Array>([
      ['/', pageOf(['onnxruntime-web/wasm'], `/${entry?.fileName}`)],
      ['/model.onnx', await readFile(`${model}.onnx`)],
      ['/model.json', await readFile(`${model}.json`)],
      ['/picture.png', await encodePng(image)],
      ...chunks.map(({ fileName, code }) => [`/${fileName}`, code] as const),
    ]);
    site = await serve(['node_modules'], made);
    browser = await launch();
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** The files that the page has fetched once it shows the class that it explained. */
  async function fetched(
    prepare?: (page: Page) => Promise<unknown>,
  ): Promise<Rollup.OutputChunk[]> {
    const page = await browser.newPage();
    const paths = new Set<string>();
    page.on('request', (request) => paths.add(new URL(request.url()).pathname));
    await prepare?.(page);
    await page.goto(site.address);
    await page.waitForFunction(() => document.title !== 'fovea', undefined, { timeout: 60_000 });
    expect(await page.title()).toBe('teapot');
    await page.close();
    return chunks.filter(({ fileName }) => paths.has(`/${fileName}`));
  }

  it(`fetches at most ${MOST_BYTES} bytes, gzipped`, async () => {
    const files = await fetched();
    const sizes = files.map(({ fileName, code }) => [fileName, gzipSync(code).length] as const);
    const total = sizes.reduce((sum, [, size]) => sum + size, 0);
    expect(total, sizes.map((each) => each.join(' ')).join(', ')).toBeLessThanOrEqual(MOST_BYTES);
    expect(total).toBeGreaterThan(20_000);
  });

  it('fetches the gradients of the operators after the feature map only', async () => {
    const lazy = (await fetched()).filter((file) => file.isDynamicEntry);
    const files = ['global-pooling', 'last-layers', 'linalg', 'reshaping'];
    expect(modulesIn(lazy).sort()).toEqual(files.map((name) => `autodiff/rules/${name}.js`));
  });

  it('contains no other method, and nothing that only other pages use', async () => {
    const files = await fetched();
    const ours = modulesIn(files);
    const methods = ours.filter((path) => /^methods\/(?!shared\/|method\.js)/.test(path));
    expect(methods).toEqual(['methods/grad-cam.js']);
    const others = /^(metrics|datasets|evaluate|visualize|alternates|node)\/|^model\/remote\//;
    expect(ours.filter((path) => others.test(path))).toEqual([]);
    expect(ours).not.toContain('model/files/hugging-face-config.js');
    const all = files.flatMap((file) => Object.keys(file.modules));
    expect(all.filter((id) => /\/node_modules\/(?!valibot\/)/.test(id))).toEqual([]);
  });
});
