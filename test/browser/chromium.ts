import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether there is a browser for the tests. */
export const haveChromium = existsSync(CHROMIUM);
if (!haveChromium)
  console.warn(
    `the browser tests are skipped: there is no ${CHROMIUM}; install a Chromium or set CHROMIUM ` +
      'to the path of one',
  );

/** Starts the browser of the tests. */
export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
