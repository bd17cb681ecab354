// @ts-check
/** A page in Chromium with Fovea's worker, for the benchmarks: the build, without a bundler. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { usage } from './harness.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** @type {Readonly<Record<string, string>>} */
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** `openModel` loads a model in a worker of its own; the one before it ends. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>fovea</title><link rel="icon" href="data:,">
<script type="module">
import { createExplainer } from '/dist/worker/index.js';
const startWorker = () => new Worker('/dist/worker/standalone.js', { type: 'module' });
const wasmPaths = '/node_modules/onnxruntime-web/dist/';
globalThis.openModel = async (options) => {
  globalThis.explainer?.dispose();
  globalThis.explainer = await createExplainer({ startWorker, wasmPaths, ...options });
  return globalThis.explainer.model;
};
</script>`;

/** Serves the project to isolated pages; `files` are other files, by their addresses. */
async function serve(/** @type {Readonly<Record<string, string>>} */ files) {
  const server = createServer(async ({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const isOurs = /^\/(dist|node_modules)\//.test(pathname);
    const path = files[pathname] ?? (isOurs ? join(ROOT, pathname) : undefined);
    const body = pathname === '/' ? PAGE : path && (await readFile(path).catch(() => undefined));
    response.writeHead(body === undefined ? 404 : 200, {
      'content-type': TYPES[extname(pathname) || '.html'] ?? 'application/octet-stream',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
    });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return { address: `http://127.0.0.1:${port}/`, close: () => server.close() };
}

/** Opens the page. @param {Readonly<Record<string, string>>} files other files, by their addresses */
export async function openChromium(files = {}) {
  if (!existsSync(CHROMIUM)) usage(`there is no ${CHROMIUM}: set CHROMIUM to the path of one`);
  if (!existsSync(join(ROOT, 'dist/worker/standalone.js')))
    usage('dist/worker/standalone.js is missing: build first with npm run build');
  const site = await serve(files);
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(site.address);
  await page.waitForFunction(() => 'openModel' in globalThis);
  const session = await browser.newBrowserCDPSession();
  return {
    page,
    version: browser.version(),
    /** CPU seconds that all processes of the browser have used. */
    async cpuSeconds() {
      const { processInfo } = await session.send('SystemInfo.getProcessInfo');
      return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
    },
    async close() {
      await browser.close();
      site.close();
    },
  };
}
