import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { ROOT } from '../browser/modules.ts';

/** The browser of the tests. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** A machine that is busy needs long for a browser. */
export const PATIENCE = { timeout: 240_000 };

/** The views of the page, by the names of their tabs. */
export const VIEWS = [
  ...['Look', 'Compare', 'Paint', 'Hide and show', 'Enough'],
  ...['Trust', 'Sanity lab', 'Inside', 'Many pictures'],
];

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
export async function startStudio(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningStudio> {
  const main = join(ROOT, 'dist/cli/main.js');
  if (!existsSync(join(ROOT, 'dist/studio/index.html')))
    throw new Error('dist/studio is missing: run npm run build first');
  const all = [main, 'studio', '--port', '0', '--no-open', ...args];
  const child: ChildProcess = spawn(process.execPath, all, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
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
export const startBrowser = (args: readonly string[] = []): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', ...args],
  });

/** Opens an address in a fresh profile. */
export async function visit(
  browser: Browser,
  address: string,
  options: Parameters<Browser['newContext']>[0] = {},
  script?: () => void,
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
  if (script) await page.addInitScript(script);
  await page.goto(address);
  return { page, context, problems };
}

/** How the tests of a file visit the studio. */
export interface VisitOptions {
  readonly args?: readonly string[];
  readonly env?: () => Readonly<Record<string, string>>;
  /** More options of Chromium. */
  readonly browserArgs?: readonly string[];
  /** What runs on the page before its own scripts. */
  readonly script?: () => void;
  /** Messages of the console that are not problems. */
  readonly allowed?: RegExp;
}

/** A server, a browser and a page that the tests of one file share. */
export class StudioVisit {
  server: RunningStudio | undefined;
  browser: Browser | undefined;
  #visit: Visit | undefined;
  readonly #options: VisitOptions;

  constructor(options: VisitOptions) {
    this.#options = options;
  }

  get current(): Visit {
    if (this.#visit) return this.#visit;
    throw new Error('no page is open');
  }

  get page(): Page {
    return this.current.page;
  }

  async start(): Promise<void> {
    const { args = [], env = () => ({}), browserArgs = [] } = this.#options;
    this.server = await startStudio(args, env());
    this.browser = await startBrowser(browserArgs);
  }

  /** Opens the studio in a fresh profile. */
  async open(hash = '', options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    await this.#visit?.context.close();
    const { browser, server } = this;
    if (!browser || !server) throw new Error('the studio is not started');
    const all = { serviceWorkers: 'block', ...options } as const;
    this.#visit = await visit(browser, `${server.address}${hash}`, all, this.#options.script);
    return this.#visit.page;
  }

  /** Messages that a test caused on purpose are not problems. */
  forget(expected: RegExp): void {
    const { problems } = this.current;
    problems.splice(0, problems.length, ...problems.filter((text) => !expected.test(text)));
  }

  problems(): string[] {
    const { allowed } = this.#options;
    return this.current.problems.filter(
      (text) => !text.includes('blocked by Playwright') && !allowed?.test(text),
    );
  }
}

/** Visits the studio for the tests of a file, and checks that nothing goes wrong on the page. */
export function useStudio(options: VisitOptions = {}): StudioVisit {
  const visit = new StudioVisit(options);
  beforeAll(() => visit.start());
  afterEach(() => expect(visit.problems()).toEqual([]));
  afterAll(async () => {
    await visit.browser?.close();
    expect(await visit.server?.end()).toBe(0);
  });
  return visit;
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

/** A file that a test drops. */
export interface TestFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly type?: string;
}

/** Drops files on the page as a user does. */
export async function drop(page: Page, files: readonly TestFile[]): Promise<void> {
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

/** Drops files and folders by their paths, as the browser itself hands them to a page. */
export async function dropPaths(page: Page, files: readonly string[]): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...files], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await session.send('Input.dispatchDragEvent', { type, x: 600, y: 300, data });
  await session.detach();
}
