import type { Browser, Page } from 'playwright-core';
import { build, type Rollup } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';
import { type ExplainOptions, encodePng } from '../../src/node.ts';
import { haveChromium, launch } from './chromium.ts';
import { ROOT } from './modules.ts';
import { type Site, serve } from './site.ts';

/** Long enough that other tasks have something to wait for. */
const REQUESTS: readonly ExplainOptions[] = [
  { method: 'rise', options: { N: 120 } },
  { method: 'iassa', options: { calls: 120 } },
  { method: 'sag', options: { grid: 4, restarts: 0 } },
  { method: 'iia', options: { steps: 5 } },
  { method: 'integrated-gradients', options: { steps: 40 } },
];

/** What the page or the worker saw while it explained. */
interface Seen {
  readonly end: string;
  readonly ticks: number;
  readonly runs: number;
  /** The most long model calls in a row that were followed by another before the timer ticked. */
  readonly starved: number;
  readonly runsAtAbort?: number;
}

/** The module with all that it imports, as one site; workers have no import maps. */
async function bundle(): Promise<Map<string, string | Uint8Array>> {
  const result = await build({
    root: ROOT,
    configFile: false,
    logLevel: 'silent',
    publicDir: false,
    build: {
      write: false,
      assetsInlineLimit: 0,
      modulePreload: false,
      minify: false,
      rollupOptions: {
        input: 'test/browser/alive.mjs',
        output: { entryFileNames: 'alive.js' },
      },
    },
  });
  const [{ output }] = [result].flat() as Rollup.RollupOutput[];
  return new Map(
    output.map((file) => [`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source]),
  );
}

/** A page that runs the module itself, or in a worker. */
const pageFor = (place: string): string =>
  place === 'a page'
    ? '<script type="module" src="/alive.js"></script>'
    : `<script type="module">
        const worker = new Worker('/alive.js', { type: 'module' });
        const waiting = new Map();
        worker.onmessage = ({ data: { id, result, error, cancel } }) => {
          if (cancel) worker.postMessage({ name: 'cancel', args: [] });
          else if (error) waiting.get(id)?.reject(new Error(error));
          else waiting.get(id)?.resolve(result);
        };
        let id = 0;
        const call = (name) => (...args) => new Promise((resolve, reject) => {
          waiting.set(++id, { resolve, reject });
          worker.postMessage({ id, name, args });
        });
        globalThis.calls = { load: call('load'), explain: call('explain') };
      </script>`;

describe.skipIf(!haveChromium).each(['a page', 'a worker'])('%s in Chromium', (place) => {
  let site: Site;
  let browser: Browser;
  let page: Page;

  /** Runs one of the module's calls. */
  const call = <T>(name: string, ...args: unknown[]) =>
    page.evaluate(
      ([key, given]) =>
        (globalThis as unknown as { calls: Record<string, (...all: unknown[]) => T> }).calls[key](
          ...given,
        ),
      [name, args] as const,
    );

  beforeAll(async () => {
    const { image } = createScene(await loadSprites(), 88_000_100, { className: 'teapot' });
    const made = await bundle();
    made.set('/', `<!doctype html><link rel="icon" href="data:,">${pageFor(place)}`);
    made.set('/scene.png', await encodePng(image));
    site = await serve(['dist'], made);
    browser = await launch();
    page = await browser.newPage();
    await page.goto(site.address, { waitUntil: 'load' });
    await page.waitForFunction(() => 'calls' in globalThis, undefined, { timeout: 30_000 });
    await call('load');
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  it.each(REQUESTS)('$method: a timer ticks, and cancels, between model calls', async (request) => {
    const whole = await call<Seen>('explain', request);
    expect(whole.end).toBe('done');
    // Chromium now and then lets a timer wait for one more task on a page.
    expect(whole.starved).toBeLessThanOrEqual(1);
    expect(whole.ticks).toBeGreaterThan(whole.runs / 2);
    expect(whole.runs).toBeGreaterThan(3);
    const cancelled = await call<Seen>('explain', request, 2);
    expect(cancelled.end).toBe('cancelled');
    const { runs, runsAtAbort = Number.NaN } = cancelled;
    expect(runs - runsAtAbort).toBeLessThanOrEqual(1);
    expect(runs).toBeLessThan(whole.runs);
  });
});
