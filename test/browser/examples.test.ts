import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { build, type Rollup } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/index.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { canRun, startBrowser, visit } from '../studio/studio.ts';
import { ROOT } from './modules.ts';
import { type Site, serve } from './site.ts';

/** The files of an example, bundled by Vite as its author does, by their addresses. */
async function bundled(name: string): Promise<Map<string, string | Uint8Array>> {
  const root = join(ROOT, 'examples', name);
  const configFile = join(root, 'vite.config.js');
  const built = await build({ root, configFile, logLevel: 'silent', build: { write: false } });
  const [{ output }] = [built].flat() as Rollup.RollupOutput[];
  return new Map(
    output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]),
  );
}

describe.skipIf(!canRun())('the examples for browsers', { timeout: 180_000 }, () => {
  let browser: Browser;
  let picture: Uint8Array;
  let site: Site | undefined;

  /** Opens a site, runs a test on its page, and expects nothing on the console. */
  async function on(made: Map<string, string | Uint8Array>, test: (page: Page) => Promise<void>) {
    site = await serve(['dist', 'node_modules'], made);
    const { page, context, problems } = await visit(browser, site.address);
    await test(page);
    expect(problems).toEqual([]);
    await context.close();
    await site.close();
  }

  beforeAll(async () => {
    browser = await startBrowser();
    const scene = createScene(await loadSprites(), 88_000_100, { className: 'teapot' });
    picture = await encodePng(scene.image);
  });

  afterAll(async () => {
    await browser?.close();
  });

  it('plain-page: explains a picture from a static server, without a bundler', async () => {
    const html = await readFile(join(ROOT, 'examples/plain-page/index.html'), 'utf8');
    await on(new Map([['/', html]]), async (page) => {
      await page.getByText('Choose a picture.').waitFor();
      const buffer = Buffer.from(picture);
      await page
        .getByLabel('Picture')
        .setInputFiles({ name: 'scene.png', mimeType: 'image/png', buffer });
      await page.getByText(/^teapot: \d+\.\d%$/).waitFor();
    });
  });

  /** Opens an example that Vite bundles, with its picture. */
  async function onBundled(name: string, test: (page: Page) => Promise<void>) {
    const files = await bundled(name);
    files.set('/', files.get('/index.html') ?? '');
    files.set('/picture.png', await readFile(join(ROOT, `examples/${name}/public/picture.png`)));
    await on(files, test);
  }

  it('vite-worker: explains a picture of the page in a worker that Vite bundles', async () => {
    await onBundled('vite-worker', async (page) => {
      await page.getByText(/^teapot: the most evidence is at column \d+, row \d+$/).waitFor();
    });
  });

  it('vite-react: says what the model sees, and why at the press of a button', async () => {
    await onBundled('vite-react', async (page) => {
      await page.getByText(/^teapot: \d+\.\d%/).waitFor();
      const drawn = () =>
        page.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const empty = await drawn();
      await page.getByRole('button', { name: 'Why?' }).click();
      await page.getByRole('progressbar').waitFor({ state: 'detached' });
      await page.locator('button:enabled').waitFor();
      expect(await drawn()).not.toBe(empty);
    });
  });

  const WASM = 'ort-wasm-simd-threaded.wasm';
  const MODELS = ['demo-cnn', 'demo-cnn-biased', 'demo-vit'];
  it.each([
    ['fovea/web', [WASM]],
    ['fovea/web/webgpu', ['ort-wasm-simd-threaded.asyncify.wasm', WASM]],
    [
      'fovea/web/demo-models',
      [...MODELS.flatMap((model) => [`${model}.json`, `${model}.onnx`]), WASM],
    ],
  ])('Vite copies for a page that imports %s: %j', async (specifier, wanted) => {
    const page = `import { loadModel } from 'fovea/web'; import '${specifier}'; loadModel(location.hash);`;
    const built = await build({
      root: ROOT,
      configFile: false,
      logLevel: 'silent',
      publicDir: false,
      build: { write: false, assetsInlineLimit: 0, rollupOptions: { input: 'page' } },
      plugins: [
        {
          name: 'page',
          resolveId: (id) => (id === 'page' ? '\0page' : undefined),
          load: (id) => (id === '\0page' ? page : undefined),
        },
      ],
    });
    const [{ output }] = [built].flat() as Rollup.RollupOutput[];
    const assets = output.flatMap((file) => (file.type === 'asset' ? file.names : []));
    expect(assets.sort()).toEqual([...wanted].sort());
  });
});
