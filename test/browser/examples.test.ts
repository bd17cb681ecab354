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

  it('vite-worker: explains a picture of the page in a worker that Vite bundles', async () => {
    const files = await bundled('vite-worker');
    files.set('/', files.get('/index.html') ?? '');
    files.set(
      '/picture.png',
      await readFile(join(ROOT, 'examples/vite-worker/public/picture.png')),
    );
    await on(files, async (page) => {
      await page.getByText(/^teapot: the most evidence is at column \d+, row \d+$/).waitFor();
    });
  });
});
