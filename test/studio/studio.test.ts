import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeNpy } from '../../src/tensor/npy.ts';
import { pearson } from '../../src/tensor/statistics.ts';
import { ROOT } from '../browser/modules.ts';
import {
  canRun,
  drop,
  mapIsMade,
  openView,
  probabilityOf,
  type RunningStudio,
  startBrowser,
  startStudio,
  type Visit,
  visit,
} from './studio.ts';

const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');
const VIEWS = [
  ...['Look', 'Compare', 'Paint', 'Hide and show', 'Enough'],
  ...['Trust', 'Sanity lab', 'Inside', 'Many pictures'],
];
const shared = join(ROOT, '../shared/models');

/** Serious findings of axe on the page as it is. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } };
    interface Finding {
      id: string;
      impact: string;
      nodes: { html: string }[];
    }
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
  });
}

/** Whether anything on the page is wider than the window. */
const isTooWide = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);

// A machine that is busy needs long for a browser.
const PATIENCE = { timeout: 240_000 };

describe.skipIf(!canRun())('the studio, in Chromium on WebAssembly', PATIENCE, () => {
  let server: RunningStudio;
  let browser: Browser;
  let current: Visit;
  let page: Page;

  /** Opens the studio in a fresh profile. */
  const open = async (hash = '', options: Parameters<Browser['newContext']>[0] = {}) => {
    await current?.context.close();
    current = await visit(browser, `${server.address}${hash}`, {
      serviceWorkers: 'block',
      ...options,
    });
    ({ page } = current);
  };

  beforeAll(async () => {
    server = await startStudio();
    browser = await startBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    expect(await server?.end()).toBe(0);
  });

  afterEach(() => {
    const problems = current.problems.filter((text) => !text.includes('blocked by Playwright'));
    expect(problems).toEqual([]);
  });

  it('shows a map of a demo picture without a click, on an isolated page', async () => {
    await open();
    await mapIsMade(page);
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    await expect(probabilityOf(page, 'pizza')).resolves.toBeGreaterThan(0.9);
    await page.getByRole('combobox', { name: 'Method' }).and(page.locator('select')).waitFor();
    expect(await page.getByText('Nothing is sent anywhere').count()).toBe(1);
  });

  it('finds a class by its name, explains it, and explains it against another', async () => {
    await page.getByPlaceholder('Search a class…').fill('umb');
    await page.getByTitle('Explain umbrella').click();
    await page.getByRole('application', { name: /for umbrella/ }).waitFor();
    await page.getByPlaceholder('Search a class…').fill('');
    await page.getByRole('button', { name: 'vs pizza' }).click();
    await page.getByText('Why umbrella and not pizza?').waitFor();
    await mapIsMade(page);
    await page.getByRole('application', { name: /for umbrella and against pizza/ }).hover();
    await page.locator('output.value').waitFor();
  });

  it('compares methods and classes, with the same place marked on all maps', async () => {
    await openView(page, 'Compare');
    await page.getByLabel('Add a method').selectOption('random');
    await page.getByLabel('Difference of the first two classes').check();
    await page.waitForFunction(() => !document.querySelector('table .busy'));
    const maps = page.locator('table').getByRole('application');
    expect(await maps.count()).toBe(12);
    await maps.first().hover();
    expect(await page.locator('table .cursor').count()).toBe(12);
    const corners = await page.locator('.corner').allInnerTexts();
    expect(corners).toHaveLength(6);
    expect(Math.abs(Number(corners.at(-1)))).toBeLessThan(0.3);
    await page.getByRole('button', { name: /^Remove Random/ }).click();
    expect(await maps.count()).toBe(9);
  });

  it('leads a pupil to the cheat: the sticker decides, not the owl', async () => {
    await page.getByRole('button', { name: 'Find the cheat' }).click();
    await page.getByRole('button', { name: 'Load it with a picture of an owl' }).click();
    await page.getByTitle('Explain teapot').waitFor();
    const next = page.getByRole('button', { name: 'Next' });
    for (let step = 0; step < 3; step++) await next.click();
    await page.getByText('Prove it').waitFor();
    await openView(page, 'Paint');
    const { x, y } = await page.evaluate(async () => {
      const list = (await (await fetch('./scenes/scenes.json')).json()) as Record<
        string,
        unknown
      >[];
      return list.find(({ label }) => label === 'owl')?.sticker as { x: number; y: number };
    });
    const board = page.getByRole('application', { name: /paint on/ });
    await page.locator('.bars').waitFor();
    await board.scrollIntoViewIfNeeded();
    await page.getByRole('button', { name: 'Box', exact: true }).click();
    const box = await board.boundingBox();
    if (!box) throw new Error('the picture has no place');
    const at = (column: number, row: number) =>
      [box.x + (column / 224) * box.width, box.y + (row / 224) * box.height] as const;
    await page.mouse.move(...at(x - 20, y - 20));
    await page.mouse.down();
    await page.mouse.move(...at(x + 20, y + 20), { steps: 4 });
    await page.mouse.up();
    await page.getByText('Now the model says owl, not teapot.').waitFor();
    await page.getByRole('button', { name: 'Keep this trial' }).click();
    expect(await page.locator('.trials li').count()).toBe(1);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('The model still says teapot.').waitFor();
    await page.getByRole('button', { name: 'Go back to owl' }).click();
    await page.getByText('Now the model says owl, not teapot.').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
  });

  it('paints pieces and tiles with the keyboard, and brings parts back', async () => {
    await page.getByRole('button', { name: 'Hide everything' }).click();
    await page.getByText(/Now the model says|still says/).waitFor();
    for (const tool of ['Tile', 'Piece']) {
      await page.getByRole('button', { name: tool, exact: true }).click();
      if (tool === 'Piece') await page.getByText('of similar color').waitFor();
      const board = page.getByRole('application', { name: /paint on/ });
      await board.focus();
      const pixels = () =>
        board.locator('canvas').evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
      const before = await pixels();
      await page.keyboard.press('ArrowLeft');
      await page.keyboard.press('Space');
      expect(await pixels()).not.toBe(before);
      await page.keyboard.press('Control+z');
      expect(await pixels()).toBe(before);
    }
  });

  it('hides and shows the picture step by step, and says where the class is lost', async () => {
    await open();
    await mapIsMade(page);
    await openView(page, 'Hide and show');
    await page.getByText('Area under the').waitFor();
    await page.getByText(/^Hide \d.*% of the picture, and the model does not say pizza/).waitFor();
    await page.locator('input#step').fill('20');
    await page.getByText('Hidden: the 50% that the map calls most important').waitFor();
    const hidden = await page.locator('.isTarget .number').first().innerText();
    expect(Number.parseFloat(hidden.replace('<', ''))).toBeLessThan(50);
    await page.getByRole('button', { name: 'Show first' }).click();
    await page.getByText(/% of the picture is enough for pizza/).waitFor();
    const shown = await page.locator('.isTarget .number').first().innerText();
    expect(Number.parseFloat(shown)).toBeGreaterThan(50);
  });

  it('cancels a slow method at once, stops another when its map is good enough', async () => {
    await openView(page, 'Look');
    await page.getByRole('combobox', { name: 'Method' }).selectOption('rise');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled.').waitFor();
    await page.getByRole('button', { name: 'Make it again' }).click();
    await page.getByText(/samples, .*%/).waitFor();
    await page.getByRole('button', { name: 'Good enough, stop' }).click();
    await mapIsMade(page);
    const looks = await page.getByText(/^Made in/).innerText();
    expect(Number(/from\s+([\d,]+)/.exec(looks)?.[1]?.replace(',', ''))).toBeLessThan(1002);
  });

  it('keeps the page free while a method runs', async () => {
    await page.getByRole('combobox', { name: 'Method' }).selectOption('occlusion');
    const ticks = await page.evaluate(async () => {
      let count = 0;
      while (document.querySelector('progress[aria-label="Making the map"]')) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        count++;
      }
      return count;
    });
    expect(ticks).toBeGreaterThan(50);
    await mapIsMade(page);
  });

  it('gives a command that makes the same map again, with numbers, record and report', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fovea-studio-'));
    await page.getByRole('combobox', { name: 'Method' }).selectOption('layer-cam');
    await mapIsMade(page);
    await page.getByText('Take it away').click();
    const download = async (name: string): Promise<string> => {
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name }).click(),
      ]);
      const path = join(folder, file.suggestedFilename());
      await file.saveAs(path);
      return path;
    };
    const numbers = decodeNpy(await readFile(await download('Numbers (.npy)')));
    const record = JSON.parse(await readFile(await download('Record (JSON)'), 'utf8'));
    const report = await readFile(await download('Report (HTML)'), 'utf8');
    const figure = await readFile(await download('Picture (PNG)'));
    expect(figure.subarray(1, 4).toString()).toBe('PNG');
    expect(report).toContain('What this does not prove');
    expect(report).toContain(record.model.fingerprint);
    expect(report).not.toMatch(/(src|href)="(https?:)?\/\//);
    const command = await page.locator('pre').first().innerText();
    const args = command.replace(/^fovea /, '').split(' ');
    const picture = join(ROOT, 'dist/studio/scenes', record.image.name);
    const given = args.map((arg) => (arg === record.image.name ? picture : arg));
    const main = join(ROOT, 'dist/cli/main.js');
    await promisify(execFile)(process.execPath, [main, ...given, '--out', folder, '--quiet']);
    const stem = record.image.name.replace('.png', '.layer-cam');
    const again = decodeNpy(await readFile(join(folder, `${stem}.npy`)));
    const there = JSON.parse(await readFile(join(folder, `${stem}.json`), 'utf8'));
    expect(pearson(numbers.data, again.data)).toBeGreaterThan(0.9999);
    expect(there.image.sha256).toBe(record.image.sha256);
    expect(there.model.fingerprint).toBe(record.model.fingerprint);
    await rm(folder, { recursive: true });
  });

  it('finds sets of patches that are enough, draws their graph, and lets patches be switched', async () => {
    await openView(page, 'Enough');
    const board = page.locator('.verdict', { hasText: 'of its confidence in pizza' });
    await board.waitFor();
    const nodes = page.getByRole('region', { name: 'Graph of sets' }).getByRole('button');
    expect(await nodes.count()).toBeGreaterThan(3);
    const label = (await nodes.first().getAttribute('aria-label')) ?? '';
    const [, patches = '', confidence = ''] = /^Patches (.*): (.*)$/.exec(label) ?? [];
    await nodes.first().click();
    await page.mouse.move(0, 0);
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    await page.locator('.verdict b', { hasText: confidence }).waitFor();
    await nodes.last().click();
    await page.getByText('The second set lacks').waitFor();
    await nodes.first().click();
    const [first = ''] = patches.split(', ');
    await page.getByRole('button', { name: `Patch ${first}`, exact: true }).click();
    await page.getByText('Your own set').waitFor();
    await page.getByRole('button', { name: 'Find another way' }).click();
    await page.getByText(/Set \d+ of \d+: any one is enough/).waitFor();
    await page.getByRole('button', { name: 'Larger' }).click();
  });

  it('tests the map against maps that know nothing', async () => {
    await openView(page, 'Trust');
    await page.getByText(/This map passes/).waitFor();
    expect(await page.locator('.tests .isBetter').count()).toBeGreaterThanOrEqual(2);
    await page.getByRole('combobox', { name: 'Method' }).selectOption('random');
    await page.locator('.verdict', { hasText: '0 of 3' }).waitFor();
    await page.getByRole('combobox', { name: 'Method' }).selectOption('grad-cam');
  });

  it('shows which maps do not move if the model forgets what it has learned', async () => {
    await openView(page, 'Sanity lab');
    const slider = page.locator('input#layers');
    await slider.fill((await slider.getAttribute('max')) ?? '9');
    await page.locator('.isStuck', { hasText: '1.00' }).first().waitFor();
    await page.waitForFunction(() => !document.querySelector('.busy'));
    const values = await page.locator('.grid p.number').allInnerTexts();
    expect(Math.abs(Number.parseFloat(values[0] ?? '1'))).toBeLessThan(0.7);
    expect(values.at(-1)).toContain('does not move');
  });

  it('shows the stages of a network, and the attention of a transformer', async () => {
    await openView(page, 'Inside');
    const stages = page.getByRole('list', { name: 'Stages from' }).getByRole('button');
    await stages.first().click();
    expect(await stages.count()).toBeGreaterThan(3);
    await page.getByText(/^Stage 1 of/).waitFor();
    await page.getByRole('application', { name: /Layer-CAM of stage 1/ }).hover();
    await page.locator('output.value').waitFor();
    await page.getByRole('radio', { name: /transformer/ }).check();
    await page.getByRole('button', { name: 'head 2' }).click();
    await page.getByLabel(/^Block 1 of/).fill('3');
    const attention = page.getByRole('application', { name: 'Attention of block 4' });
    await attention.hover();
    await page.getByText('what the patch under the ring looks at').waitFor();
    await page.getByRole('radio', { name: /honest/ }).check();
  });

  it('sorts many pictures by suspicion: the cheat comes first', async () => {
    await page.getByRole('radio', { name: /secret/ }).check();
    await openView(page, 'Many pictures');
    await page.getByText('Average map of these 24').waitFor();
    const first = page.locator('.gallery li').first();
    expect(await first.innerText()).toMatch(/teapot[\s\S]*really/);
    await page.getByRole('combobox', { name: 'The model says' }).selectOption('teapot');
    const [, count] = /these (\d+)/.exec(await page.getByText('Average map').innerText()) ?? [];
    expect(Number(count)).toBeGreaterThan(5);
    await page
      .getByRole('button', { name: /Look closer/ })
      .first()
      .click();
    await openView(page, 'Look');
    await page.locator('.sentence', { hasText: 'teapot' }).waitFor();
  });

  it('opens a link to a model, a picture, a method and a class', async () => {
    await open('#model=demo-vit&scene=03-panda.png&method=gae&class=23');
    await mapIsMade(page);
    await page.locator('.sentence', { hasText: 'The model says panda' }).waitFor();
    await page.getByRole('application', { name: /for panda/ }).waitFor();
    expect(await page.getByRole('radio', { name: /transformer/ }).isChecked()).toBe(true);
  });

  it('reads pictures and models that are dropped, and lets assumptions be corrected', async () => {
    const bytes = await readFile(join(ROOT, 'dist/demo/models/demo-cnn.onnx'));
    const scene = await readFile(join(ROOT, 'dist/studio/scenes/05-bicycle.png'));
    await drop(page, [{ name: 'mine.png', bytes: scene, type: 'image/png' }]);
    await page.getByRole('button', { name: 'mine.png' }).waitFor();
    await drop(page, [{ name: 'plain.onnx', bytes }]);
    await page.getByText('32 classes, 224×224 pixels – please check').click();
    await page.getByLabel('Mean of each color').fill('0.485, 0.456, nothing');
    await page.getByRole('button', { name: 'Use these' }).click();
    await page.getByText('must be numbers').waitFor();
    await page.getByLabel('Mean of each color').fill('0.485, 0.456, 0.406');
    await page.getByLabel('Names of the classes').setInputFiles({
      name: 'names.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from(Array.from({ length: 32 }, (_, i) => `thing ${i}`).join('\n')),
    });
    await page.getByRole('button', { name: 'Use these' }).click();
    await page.getByTitle('Explain thing 3').waitFor();
  });

  it('says what is wrong with a broken file and with a picture that is none, and goes on', async () => {
    await drop(page, [{ name: 'broken.onnx', bytes: Buffer.from('not a model at all') }]);
    await page.locator('.problem', { hasText: 'broken' }).waitFor();
    await drop(page, [{ name: 'notes.png', bytes: Buffer.from('no picture'), type: 'image/png' }]);
    await page.locator('.problem', { hasText: 'notes.png is damaged' }).waitFor();
    await page.getByRole('radio', { name: /honest/ }).check();
    await page.getByTitle('Explain bicycle').waitFor();
  });

  it.skipIf(!existsSync(join(shared, 'yolox_nano.onnx')))(
    'refuses a detector, and says why',
    async () => {
      await drop(page, [
        { name: 'yolox_nano.onnx', bytes: await readFile(join(shared, 'yolox_nano.onnx')) },
      ]);
      await page.locator('.problem', { hasText: 'yolox_nano' }).waitFor();
      await page.getByRole('radio', { name: /honest/ }).check();
      await page.getByTitle('Explain bicycle').waitFor();
    },
  );

  it('works with the keyboard alone', async () => {
    await open();
    await mapIsMade(page);
    const press = async (key: string, name: string | RegExp) => {
      for (let i = 0; i < 120; i++) {
        await page.keyboard.press(key);
        const text = await page.evaluate(() => {
          const active = document.activeElement as HTMLElement | null;
          return active?.getAttribute('aria-label') ?? active?.title ?? active?.innerText ?? '';
        });
        if (typeof name === 'string' ? text === name : name.test(text)) return;
      }
      throw new Error(`the keyboard does not reach ${name}`);
    };
    await press('Tab', 'panda');
    await page.keyboard.press('Enter');
    await page.getByTitle('Explain panda').waitFor();
    await press('Tab', /^vs/);
    await page.keyboard.press('Enter');
    await page.getByText(/^Why panda and not/).waitFor();
    await press('Tab', /Arrow keys move the cursor/);
    await page.keyboard.press('ArrowDown');
    await page.locator('.cursor').waitFor();
  });

  it.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)('has no serious findings of axe in %s at %d pixels', async (colorScheme, width) => {
    await open('', { colorScheme, viewport: { width, height: 800 } });
    await mapIsMade(page);
    for (const view of VIEWS) {
      await openView(page, view);
      await page.waitForTimeout(500);
      expect([view, await findings(page)]).toEqual([view, []]);
      expect([view, await isTooWide(page)]).toEqual([view, false]);
    }
  });

  it('opens again without a connection', async () => {
    await open('', { serviceWorkers: 'allow' });
    await mapIsMade(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await mapIsMade(page);
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.evaluate(async () => {
      const cache = await caches.open((await caches.keys())[0] ?? '');
      for (let i = 0; i < 100; i++) {
        const kept = (await cache.keys()).map(({ url }) => url);
        if (kept.some((url) => url.endsWith('.wasm')) && kept.some((url) => url.endsWith('.onnx')))
          return;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    });
    await current.context.setOffline(true);
    await page.reload();
    await mapIsMade(page);
    await page.getByText('you are offline, and it works').waitFor();
  });
});
