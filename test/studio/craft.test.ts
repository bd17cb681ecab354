import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../browser/modules.ts';
import { canRun, mapIsMade, openView, PATIENCE, useStudio, VIEWS } from './studio.ts';

const AXE = readFileSync(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8');

/** What the script of the page below collects. */
interface Observed {
  readonly shifts: { readonly value: number; readonly what: string }[];
}

/** Collects places that jump without a click or a key, as Chromium sees them. */
function observe(): void {
  const page = globalThis as unknown as { observed: Observed };
  page.observed = { shifts: [] };
  interface Shift extends PerformanceEntry {
    value: number;
    hadRecentInput: boolean;
    sources: { node?: { outerHTML?: string } }[];
  }
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries() as Shift[]) {
      const what = entry.sources.map(({ node }) => node?.outerHTML?.slice(0, 60) ?? '').join(' | ');
      if (!entry.hadRecentInput) page.observed.shifts.push({ value: entry.value, what });
    }
  }).observe({ type: 'layout-shift', buffered: true });
}

/** The jumps since the last call: their sum, and the largest. */
const jumps = (page: Page) =>
  page.evaluate(() => {
    const { shifts } = (globalThis as unknown as { observed: Observed }).observed;
    const all = shifts.splice(0).sort((a, b) => b.value - a.value);
    return { sum: all.reduce((sum, { value }) => sum + value, 0), largest: all[0]?.what };
  });

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

describe.skipIf(!canRun())('the craft of the studio', PATIENCE, () => {
  const visit = useStudio({ script: observe });

  it('loads less than 400 kB before the first map, without the runtime and the model', async () => {
    const page = await visit.open();
    await mapIsMade(page);
    const paths = new Set<string>();
    page.on('response', (response) => paths.add(new URL(response.url()).pathname));
    await page.reload();
    await mapIsMade(page);
    const own = [...paths].filter((path) => !/^\/(ort|models)\/|^\/$/.test(path));
    expect(own.some((path) => /worker/.test(path))).toBe(true);
    const files = [...own, '/index.html'].map((path) =>
      readFileSync(join(ROOT, 'dist/studio', path)),
    );
    const bytes = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(bytes).toBeLessThan(400_000);
  });

  it('has no serious findings of axe in any view, light and dark, wide and narrow, and nothing jumps', async () => {
    const { page } = visit;
    for (const view of VIEWS) {
      await page.setViewportSize({ width: 1280, height: 900 });
      await jumps(page);
      await openView(page, view);
      await page.locator('nav [aria-current]', { hasText: view }).waitFor();
      await page.waitForTimeout(1000);
      await expect.poll(() => page.locator('[aria-busy="true"]').count(), PATIENCE).toBe(0);
      const { sum, largest } = await jumps(page);
      expect([view, sum > 0.1 ? largest : 'still']).toEqual([view, 'still']);
      expect([view, await findings(page)]).toEqual([view, []]);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize({ width: 390, height: 800 });
      expect([view, 'dark', await findings(page)]).toEqual([view, 'dark', []]);
      expect([view, await isTooWide(page)]).toEqual([view, false]);
      await page.emulateMedia({ colorScheme: 'light' });
    }
  });

  /** Presses Tab, or Shift and Tab, until the focus is on something with a name that fits. */
  async function tabTo(name: RegExp, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
    const { page } = visit;
    for (let i = 0; i < 150; i++) {
      await page.keyboard.press(key);
      const text = await page.evaluate(() => {
        const active = document.activeElement as HTMLInputElement | null;
        const label = active?.labels?.[0]?.innerText;
        return active?.getAttribute('aria-label') || label || active?.title || active?.innerText;
      });
      if (name.test(text ?? '')) return;
    }
    throw new Error(`the keyboard does not reach ${name}`);
  }

  /** Goes to something and presses it. */
  async function pressOn(name: RegExp, key: 'Tab' | 'Shift+Tab' = 'Tab'): Promise<void> {
    await tabTo(name, key);
    await visit.page.keyboard.press('Enter');
  }

  const viewByKeyboard = (title: string) => pressOn(new RegExp(`^${title}$`), 'Shift+Tab');

  it('works with the keyboard alone: pictures, classes, maps and what can be taken away', async () => {
    const page = await visit.open();
    await mapIsMade(page);
    await pressOn(/^panda$/);
    await page.getByTitle('Explain panda').waitFor();
    await pressOn(/^vs/);
    await page.getByText(/^Why panda and not/).waitFor();
    await tabTo(/Arrow keys move the cursor/);
    await page.keyboard.press('ArrowDown');
    await page.locator('.cursor').waitFor();
    await tabTo(/^Method$/);
    await page.keyboard.press('r'); // RISE
    await page.getByText(/^\d+ samples/).waitFor();
    await pressOn(/^Good enough, stop$/);
    await mapIsMade(page);
    await pressOn(/^Take it away$/);
    const download = page.waitForEvent('download');
    await pressOn(/^Numbers/);
    expect((await download).suggestedFilename()).toBe('03-panda.rise.npy');
    await pressOn(/^vs/, 'Shift+Tab');
  });

  it('works with the keyboard alone: painting, hiding and sets of patches', async () => {
    const page = await visit.open();
    await mapIsMade(page);
    await viewByKeyboard('Paint');
    await tabTo(/^Picture to paint on/);
    await page.keyboard.press('Space');
    await pressOn(/^Undo$/);
    await viewByKeyboard('Hide and show');
    await tabTo(/^Hidden: the 0.0%/);
    await page.keyboard.press('End');
    await page.getByText('Hidden: the 100% that the map calls most important').waitFor();
    await pressOn(/^Show first$/);
    await page.getByText('Shown: the 100%').waitFor();
    await viewByKeyboard('Enough');
    await page.locator('.verdict', { hasText: 'of its confidence in pizza' }).waitFor();
    await tabTo(/^Patch 1$/);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    const patch = page.getByRole('button', { name: 'Patch 9', exact: true });
    expect(await patch.evaluate((button) => button === document.activeElement)).toBe(true);
    await page.getByText('Your own set').waitFor();
    await pressOn(/^Find another way$/);
    await pressOn(/^Patches [\d, ]+: /); // a set of the graph
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.getByText('The second set lacks').waitFor();
  });

  it('works with the keyboard alone: comparing, testing, the inside and many pictures', async () => {
    const { page } = visit;
    await viewByKeyboard('Compare');
    await tabTo(/^Difference of the first two classes$/);
    await page.keyboard.press('Space');
    await page.getByText('First minus second').waitFor();
    await pressOn(/^Two models$/, 'Shift+Tab');
    await pressOn(/^A network with a secret$/);
    await page.locator('.verdict', { hasText: 'say' }).waitFor();
    await viewByKeyboard('Trust');
    await tabTo(/^Method$/);
    await page.keyboard.type('Random');
    await page.locator('.verdict', { hasText: '0 of 3' }).waitFor();
    await viewByKeyboard('Sanity lab');
    await tabTo(/^Random numbers in/);
    await page.keyboard.press('End');
    await page.locator('.isStuck').first().waitFor();
    await viewByKeyboard('Inside');
    await tabTo(/^Stage \d of/);
    await page.keyboard.press('Home');
    await pressOn(/^Channel \d+: 1.00$/);
    await page.getByRole('application', { name: /^Channel \d+ of stage 1/ }).waitFor();
    await viewByKeyboard('Many pictures');
    await page.getByText('Average map of these 24').waitFor();
    await tabTo(/^First$/);
    await page.keyboard.press('End');
    await pressOn(/^Look closer at/);
    await viewByKeyboard('Look');
    await mapIsMade(page);
    await pressOn(/^Find the cheat$/, 'Shift+Tab');
    await pressOn(/^Load it with a picture of an owl$/);
    await page.getByTitle('Explain teapot').waitFor();
  });

  it('keeps the page free while a method runs, and moves nothing for those who ask for it', async () => {
    const { page } = visit;
    await openView(page, 'Look');
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
    await page.getByRole('combobox', { name: 'Method' }).selectOption('rise');
    await page.locator('.busy').first().waitFor();
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    expect(await page.evaluate(() => document.getAnimations().length)).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Cancel' }).click();
  });

  it('opens again without a connection', async () => {
    const page = await visit.open('', { serviceWorkers: 'allow' });
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
    await visit.current.context.setOffline(true);
    await page.reload();
    await mapIsMade(page);
    await page.getByText('you are offline, and it works').waitFor();
  });
});
