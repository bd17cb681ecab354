import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { largeModel } from '../browser/models.ts';
import { ROOT } from '../browser/modules.ts';
import {
  canRun,
  drop,
  dropPaths,
  mapIsMade,
  type RunningStudio,
  startBrowser,
  startStudio,
  visit,
} from './studio.ts';

describe.skipIf(!canRun())('the studio where something is missing', { timeout: 240_000 }, () => {
  let server: RunningStudio;
  let browser: Browser;

  beforeAll(async () => {
    server = await startStudio();
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.end();
  });

  it('works and says so if the storage of the browser is full', async () => {
    const { page, context, problems } = await visit(browser, 'about:blank');
    const session = await context.newCDPSession(page);
    const { origin } = new URL(server.address);
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1000 });
    await page.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException('the quota is exceeded', 'QuotaExceededError');
      };
    });
    await page.goto(server.address);
    await mapIsMade(page);
    const words = page.getByText('The storage of this browser is full');
    await words.waitFor();
    await page.reload(); // through the service worker
    await mapIsMade(page);
    await words.waitFor();
    expect(problems).toEqual([]);
    await context.close();
  });

  it('says on which device a model of the user runs, and why', async () => {
    const { page, context, problems } = await visit(browser, server.address);
    await mapIsMade(page);
    await page.getByText(/^Runs on the processor, with \d+ threads?\.$/).waitFor();
    const folder = join(ROOT, 'src/demo/models');
    const files = ['demo-cnn.onnx', 'demo-cnn.json'].map(async (name) => ({
      name: name.replace('demo-cnn', 'mine'),
      bytes: await readFile(join(folder, name)),
    }));
    await drop(page, await Promise.all(files));
    const why = 'this browser has no usable WebGPU adapter';
    await page.getByText(new RegExp(`^Runs on the processor, .*: ${why}\\.$`)).waitFor();
    await mapIsMade(page);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('makes the map again if the graphics device is lost, or the worker stops', async () => {
    const { page, context, problems } = await visit(browser, 'about:blank');
    await page.addInitScript(() => {
      const { Worker: RealWorker } = globalThis;
      const faults = ['lost', 'stopped'];
      globalThis.Worker = class extends RealWorker {
        override postMessage(message: { kind: string; id: number; name?: string }): void {
          const fault = message.name === 'explain' ? faults.shift() : undefined;
          if (fault === 'lost') {
            const error = 'the graphics device was lost (a test): reload the page';
            const data = { kind: 'error', id: message.id, code: 'runtime', message: error };
            this.dispatchEvent(new MessageEvent('message', { data }));
          } else if (fault === 'stopped')
            this.dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }));
          else super.postMessage(message);
        }
      };
    });
    await page.goto(server.address);
    // The device was lost in the first call, and the worker stopped when that call was repeated.
    await page.locator('.problem', { hasText: 'the worker stopped: out of memory' }).waitFor();
    await page.getByRole('combobox', { name: 'Method' }).selectOption('recipro-cam');
    await mapIsMade(page);
    expect(await page.locator('.problem').allInnerTexts()).toEqual([]);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('works with one thread on a page that is not isolated', async () => {
    const options = { serviceWorkers: 'block' } as const;
    const { page, context, problems } = await visit(browser, 'about:blank', options);
    await context.route('**/*', async (route) => {
      const response = await route.fetch();
      const isPolicy = ([name]: [string, string]) => /^cross-origin-(opener|embedder)/.test(name);
      const headers = Object.entries(response.headers()).filter((header) => !isPolicy(header));
      await route.fulfill({ response, headers: Object.fromEntries(headers) });
    });
    await page.goto(server.address);
    await mapIsMade(page);
    expect(await page.evaluate(() => 'SharedArrayBuffer' in globalThis)).toBe(false);
    await page.getByText('Runs on the processor, with 1 thread.').waitFor();
    expect(problems.filter((text) => !text.includes('blocked by Playwright'))).toEqual([]);
    await context.close();
  });

  it('stays free while it reads a model of 200 MB, and explains with it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fovea-large-'));
    await writeFile(join(folder, 'large.onnx'), largeModel());
    const { page, context, problems } = await visit(browser, server.address);
    await mapIsMade(page);
    await dropPaths(page, [join(folder, 'large.onnx')]);
    await page.getByText('Loading large…').waitFor();
    const ticks = await page.evaluate(async () => {
      let count = 0;
      while (document.querySelector('progress[aria-label="Loading the model"]')) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        count++;
      }
      return count;
    });
    expect(ticks).toBeGreaterThan(50);
    await mapIsMade(page);
    await page.getByText(/^3 classes, 64×64 pixels/).waitFor();
    expect(problems).toEqual([]);
    await context.close();
    await rm(folder, { recursive: true });
  });
});
