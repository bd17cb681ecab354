import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** The browser that draws pages and SVG files. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Whether there is a browser. */
export const haveChromium = existsSync(CHROMIUM);
if (!haveChromium)
  console.warn(`skipped: pages and drawings are rendered by Chromium, and ${CHROMIUM} is missing`);

let browser: Promise<Browser> | undefined;

/** A screenshot of a whole page, `width` pixels wide, as the bytes of a PNG file. */
export async function renderPage(html: string, width: number): Promise<Uint8Array> {
  browser ??= chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--font-render-hinting=none', '--disable-lcd-text'],
  });
  const page = await (await browser).newPage({ viewport: { width, height: 100 } });
  try {
    await page.setContent(html, { waitUntil: 'load' });
    return await page.screenshot({ fullPage: true, animations: 'disabled' });
  } finally {
    await page.close();
  }
}

/** A screenshot of an SVG element or file. */
export function renderSvg(svg: string, width: number): Promise<Uint8Array> {
  return renderPage(
    `<!doctype html><meta charset="utf-8"><style>body{margin:0;background:#fff;color:#222;
    font-family:'DejaVu Sans',sans-serif}svg{display:block;max-width:100%}</style>${svg}`,
    width,
  );
}

/** Closes the browser. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  browser = undefined;
}
