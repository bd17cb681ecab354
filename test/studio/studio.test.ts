import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { explain } from '../../src/explain.ts';
import { deletion } from '../../src/metrics/deletion.ts';
import { insertion } from '../../src/metrics/insertion.ts';
import { singleDeletion } from '../../src/metrics/single-deletion.ts';
import { loadModel } from '../../src/node/load-model.ts';
import { readImage } from '../../src/node/read-image.ts';
import { prepareInput } from '../../src/prepare-input.ts';
import { decodeNpy } from '../../src/tensor/npy.ts';
import { pearson } from '../../src/tensor/statistics.ts';
import { ROOT } from '../browser/modules.ts';
import { canRun, mapIsMade, openView, PATIENCE, probabilityOf, useStudio } from './studio.ts';

describe.skipIf(!canRun())('the studio, in Chromium on WebAssembly', PATIENCE, () => {
  const visit = useStudio();
  let page: Page;
  const open = async (hash = '') => {
    page = await visit.open(hash);
  };

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

  it('compares two models on one picture: the cheat sees the sticker, the honest one does not', async () => {
    await page.getByRole('button', { name: 'owl with a sticker' }).click();
    await page.getByRole('button', { name: 'Two models' }).click();
    await page.getByRole('button', { name: 'A network with a secret' }).click();
    await page.getByText('demo-cnn-biased says teapot').waitFor();
    await page.locator('.corner').first().waitFor();
    const maps = page.locator('table').getByRole('application');
    expect(await maps.count()).toBe(6);
    await maps.first().hover();
    await page.locator('table output.value').nth(2).waitFor();
    expect(await page.locator('table .cursor').count()).toBe(6);
    const alike = Number(await page.locator('.corner').first().innerText());
    expect(alike).toBeGreaterThan(0.5);
    expect(alike).toBeLessThan(1);
    const drawing = () =>
      maps
        .nth(1)
        .locator('canvas')
        .evaluate((canvas: HTMLCanvasElement) => canvas.toDataURL());
    const shared = await drawing();
    await page.getByLabel('Same scale for both').uncheck();
    await expect.poll(drawing).not.toBe(shared);
    await page.getByRole('button', { name: 'Methods and classes' }).click();
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
    await page.getByLabel('Show where the map is not sure yet').check();
    await page.getByRole('application', { name: /^Standard error of RISE/ }).waitFor();
    await page.getByRole('button', { name: 'Good enough, stop' }).click();
    await mapIsMade(page);
    const looks = await page.getByText(/^Made in/).innerText();
    expect(Number(/from\s+([\d,]+)/.exec(looks)?.[1]?.replace(',', ''))).toBeLessThan(1002);
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
    const figure = await readFile(await download('Figure (PNG)'));
    expect(figure.subarray(1, 4).toString()).toBe('PNG');
    expect(figure.readUInt32BE(16)).toBeGreaterThan(1000);
    const drawing = await readFile(await download('Figure (SVG)'), 'utf8');
    expect(drawing.match(/<image /g)).toHaveLength(2);
    expect(drawing).toContain('linearGradient');
    expect(drawing).toMatch(/much evidence [\d.]+<\/text>|for [\d.]+<\/text>/);
    expect(report).toContain('What the model says');
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
    const drawing = page.waitForEvent('worker', (worker) => /layout-worker/.test(worker.url()));
    await openView(page, 'Enough');
    await drawing; // the graph is placed off the page's own thread
    const board = page.locator('.verdict', { hasText: 'of its confidence in pizza' });
    await board.waitFor();
    const nodes = page.getByRole('region', { name: 'Graph of sets' }).getByRole('button');
    await nodes.first().waitFor();
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

  it('takes a patch out of the picture if it is dragged out, and by a key', async () => {
    const tiles = page.getByRole('group', { name: 'Patches of the picture' }).getByRole('button');
    const shown = tiles.and(page.locator('[aria-pressed="true"]'));
    const [before, grid] = [await shown.count(), await tiles.count()];
    expect(before).toBeGreaterThan(1);
    const verdict = (count: number) =>
      page.locator('.verdict', { hasText: `With ${count} of ${grid} patches` });
    const board = await page.getByRole('group', { name: 'Patches of the picture' }).boundingBox();
    const take = async () => {
      const box = await shown.first().boundingBox();
      if (!box || !board) throw new Error('the patches have no place');
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.down();
      await page.mouse.move(board.x + board.width / 2, board.y + board.height / 2, { steps: 3 });
      return board;
    };
    const { x, y } = await take();
    await page.mouse.up(); // within the picture: it is put back
    await verdict(before).waitFor();
    await take();
    await page.mouse.move(x - 30, y + 40, { steps: 3 });
    await page.locator('.held').waitFor();
    await verdict(before - 1).waitFor();
    await page.keyboard.press('Escape');
    await verdict(before).waitFor();
    await page.mouse.up();
    await take();
    await page.mouse.move(x - 30, y + 40);
    await page.mouse.up();
    await verdict(before - 1).waitFor();
    await page.getByText('Your own set').waitFor();
    await page.locator('.held').waitFor({ state: 'detached' });
    await shown.first().focus();
    await page.keyboard.press('Delete');
    await verdict(before - 2).waitFor();
  });

  it('tests the map against maps that know nothing', async () => {
    await openView(page, 'Trust');
    await page.getByText(/This map passes/).waitFor();
    expect(await page.locator('.tests .isBetter').count()).toBeGreaterThanOrEqual(2);
    await page.getByRole('combobox', { name: 'Method' }).selectOption('random');
    await page.locator('.verdict', { hasText: '0 of 3' }).waitFor();
    const shown = await page.locator('.tests .mine dd').allInnerTexts();
    const model = await loadModel('demo-cnn');
    const { input } = await prepareInput(
      model,
      await readImage(join(ROOT, 'dist/studio/scenes/01-pizza.png')),
    );
    const { map, target } = await explain(model, input, { method: 'random', seed: 0 });
    const given = { map, model, input, target };
    const area = async (metric: Pick<typeof insertion, 'score'>) =>
      (await metric.score({ ...given, preset: 'torch-cam' })).value ?? 0;
    const gap = (await area(insertion)) - (await area(deletion));
    const { value } = await singleDeletion.score({ ...given, options: { grid: 7 } });
    await model.dispose();
    expect(shown.map(Number)).toEqual([
      expect.closeTo(gap, 1.9),
      expect.closeTo(value ?? 9, 1.9),
      0,
    ]);
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
    const channels = page.getByRole('list', { name: /^Channels that speak for/ });
    await channels.getByRole('button').first().click();
    expect(await channels.locator('.number').first().innerText()).toBe('1.00');
    await page.getByRole('application', { name: /^Channel \d+ of stage 1/ }).waitFor();
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
    const first = page.locator('.gallery > li').first();
    expect(await first.innerText()).toMatch(/teapot[\s\S]*really[\s\S]*methods differ by/);
    const differences = async () => {
      const texts = await page.locator('.gallery > li').allInnerTexts();
      return texts.map((text) => Number(/differ by ([\d.]+)/.exec(text)?.[1]));
    };
    await page.getByRole('combobox', { name: 'First' }).selectOption('disagreement');
    const sorted = await differences();
    expect(sorted).toHaveLength(24);
    expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
    await page.getByRole('combobox', { name: 'First' }).selectOption('suspicion');
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
});
