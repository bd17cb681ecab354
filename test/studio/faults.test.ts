import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../browser/modules.ts';
import {
  canRun,
  drop,
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
});
