// @ts-check
/** `fovea studio` of the build and a Chromium to look at it, for scripts and benchmarks. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

/** Starts both. `close` ends them. */
export async function openStudio() {
  const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
  const server = spawn(process.execPath, [main, 'studio', '--port', '0', '--no-open']);
  /** @type {string} */
  const address = await new Promise((resolve) => {
    server.stdout.on('data', (chunk) => {
      const found = /Fovea studio: (\S+)/.exec(String(chunk));
      if (found?.[1]) resolve(found[1]);
    });
  });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const close = async () => {
    await browser.close();
    server.kill('SIGINT');
  };
  return { address, browser, close };
}
