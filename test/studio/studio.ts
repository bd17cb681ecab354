import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { ROOT } from '../browser/modules.ts';

/** The browser of the tests. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Whether the tests can run; says why not. */
export function canRun(): boolean {
  if (existsSync(CHROMIUM)) return true;
  console.warn(`the tests of the studio are skipped: there is no ${CHROMIUM}`);
  return false;
}

/** `fovea studio` as a user starts it. */
export interface RunningStudio {
  readonly address: string;
  readonly output: () => string;
  /** Interrupts it as Ctrl-C does, and returns its exit code. */
  end(): Promise<number | null>;
}

/** Starts `fovea studio` of the build on a free port. */
export async function startStudio(args: readonly string[] = []): Promise<RunningStudio> {
  const main = join(ROOT, 'dist/cli/main.js');
  if (!existsSync(join(ROOT, 'dist/studio/index.html')))
    throw new Error('dist/studio is missing: run npm run build first');
  const all = [main, 'studio', '--port', '0', '--no-open', ...args];
  const child: ChildProcess = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const address = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      text += String(chunk);
      const found = /Fovea studio: (\S+)/.exec(text);
      if (found?.[1]) resolve(found[1]);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    void ended.then(() => reject(new Error(`fovea studio ended: ${text}`)));
  });
  const end = () => {
    child.kill('SIGINT');
    return ended;
  };
  return { address, output: () => text, end };
}

/** A page that collects what goes wrong on it. */
export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors and warnings of the console, and exceptions that nobody caught. */
  readonly problems: string[];
}

/** Starts a browser that uses WebAssembly only. */
export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });

/** Opens an address of the studio in a fresh profile. */
export async function visit(
  browser: Browser,
  address: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<Visit> {
  const size = { width: 1280, height: 900 };
  const context = await browser.newContext({ viewport: size, reducedMotion: 'reduce', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(90_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) problems.push(message.text());
  });
  await page.goto(address);
  return { page, context, problems };
}

/** Waits until the map of the view Look is there. */
export const mapIsMade = (page: Page) => page.getByText(/^Made in/).waitFor();

/** Opens one of the views. */
export const openView = (page: Page, title: string) =>
  page
    .getByRole('navigation', { name: 'Ways to look' })
    .getByRole('button', { name: title, exact: true })
    .click();

/** The probability that a class button of the page shows, 0 … 1. */
export async function probabilityOf(page: Page, label: string): Promise<number> {
  const text = await page.getByTitle(`Explain ${label}`).locator('.number').innerText();
  return Number(text.replace(/[<%]/g, '')) / 100;
}

/** Drops files on the page as a user does. */
export async function drop(
  page: Page,
  files: readonly { readonly name: string; readonly bytes: Uint8Array; readonly type?: string }[],
): Promise<void> {
  const sent = files.map(({ name, bytes, type = '' }) => ({
    ...{ name, type },
    base64: Buffer.from(bytes).toString('base64'),
  }));
  const transfer = await page.evaluateHandle((list) => {
    const all = new DataTransfer();
    for (const { name, type, base64 } of list) {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      all.items.add(new File([bytes], name, { type }));
    }
    return all;
  }, sent);
  await page.dispatchEvent('main', 'drop', { dataTransfer: transfer });
}
