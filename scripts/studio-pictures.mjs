// @ts-check
// Pictures of the page of `fovea studio`, to look at after a change: every view with real content, at
// two widths, in light and dark. Build first with npm run build.
//
// Usage: node scripts/studio-pictures.mjs [--out .cache/studio] [--only look,paint] [--docs]
//   --docs  writes the pictures of docs/studio/ again, instead of all of them
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { openStudio } from './open-studio.mjs';

/** @typedef {import('playwright-core').Page} Page */

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: `${root}.cache/studio` },
    only: { type: 'string' },
    docs: { type: 'boolean', default: false },
  },
});
const out = values.docs ? `${root}docs/studio` : values.out;
mkdirSync(out, { recursive: true });

const CHEAT = '#model=demo-cnn-biased&scene=02-owl-sticker.png';
const open = (/** @type {Page} */ page, /** @type {string} */ title) =>
  page
    .getByRole('navigation', { name: 'Ways to look' })
    .getByRole('button', { name: title, exact: true })
    .click();
const idle = (/** @type {Page} */ page) =>
  page.waitForFunction(() => !document.querySelector('[aria-busy="true"], progress'));

/** Hides the sticker with a box. */
async function hideSticker(/** @type {Page} */ page) {
  await open(page, 'Paint');
  const { x, y } = await page.evaluate(async () => {
    const list = await (await fetch('./scenes/scenes.json')).json();
    return list.find((/** @type {any} */ { file }) => location.hash.includes(file)).sticker;
  });
  const board = page.getByRole('application', { name: /paint on/ });
  await page.locator('.bars').waitFor();
  await page.getByRole('button', { name: 'Box', exact: true }).click();
  await board.scrollIntoViewIfNeeded();
  const box = await board.boundingBox();
  if (!box) throw new Error('the picture has no place');
  const at = (/** @type {number} */ step) =>
    /** @type {const} */ ([
      box.x + ((x + step) / 224) * box.width,
      box.y + ((y + step) / 224) * box.height,
    ]);
  await page.mouse.move(...at(-20));
  await page.mouse.down();
  await page.mouse.move(...at(20), { steps: 4 });
  await page.mouse.up();
  await page.getByText(/^Now the model says/).waitFor();
  await page.getByRole('button', { name: 'Keep this trial' }).click();
}

/** What each picture shows: the address, and what is done there. */
/** @type {Readonly<Record<string, { hash: string, act: (page: Page) => Promise<unknown> }>>} */
const SHOTS = {
  look: { hash: `${CHEAT}&method=iia`, act: (page) => page.getByText(/^Made in/).waitFor() },
  against: {
    hash: '#scene=01-pizza.png',
    async act(page) {
      await page.getByText(/^Made in/).waitFor();
      await page.getByRole('button', { name: /^vs/ }).nth(1).click();
      await idle(page);
      await page.getByText('Take it away').click();
    },
  },
  lapse: {
    hash: '#scene=01-pizza.png&method=rise',
    act: (page) => page.getByText(/^[3-9]\d\d samples/).waitFor(),
  },
  methods: {
    hash: CHEAT,
    async act(page) {
      await open(page, 'Compare');
      await page.getByLabel('Difference of the first two classes').check();
      await idle(page);
      await page.locator('table').getByRole('application').first().hover();
    },
  },
  compare: {
    hash: '#scene=02-owl-sticker.png',
    async act(page) {
      await open(page, 'Compare');
      await page.getByRole('button', { name: 'Two models' }).click();
      await page.getByRole('button', { name: 'A network with a secret' }).click();
      await page.locator('.corner').nth(1).waitFor();
      await idle(page);
    },
  },
  paint: { hash: CHEAT, act: hideSticker },
  steps: {
    hash: '#scene=03-panda.png',
    async act(page) {
      await open(page, 'Hide and show');
      await page.getByText('Area under the').waitFor();
      await page.locator('input#step').fill('8');
    },
  },
  enough: {
    hash: '#scene=01-pizza.png',
    async act(page) {
      await open(page, 'Enough');
      const nodes = page.getByRole('region', { name: 'Graph of sets' }).getByRole('button');
      await nodes.first().click();
      await nodes.nth(3).click();
      await page.getByText('The second set lacks').waitFor();
    },
  },
  trust: {
    hash: '#scene=01-pizza.png&method=iia',
    async act(page) {
      await open(page, 'Trust');
      await page.getByText(/This map passes/).waitFor();
    },
  },
  sanity: {
    hash: '#scene=01-pizza.png',
    async act(page) {
      await open(page, 'Sanity lab');
      await page.locator('input#layers').fill('5');
      await page.waitForTimeout(500);
      await idle(page);
    },
  },
  inside: {
    hash: CHEAT,
    async act(page) {
      await open(page, 'Inside');
      await idle(page);
      await page.getByRole('button', { name: /^Channel \d+: 1.00/ }).click();
    },
  },
  attention: {
    hash: '#model=demo-vit&scene=03-panda.png&method=gae',
    async act(page) {
      await open(page, 'Inside');
      await idle(page);
    },
  },
  many: {
    hash: CHEAT,
    async act(page) {
      await open(page, 'Many pictures');
      await page.getByText('Average map of these').waitFor();
    },
  },
  guide: {
    hash: '',
    async act(page) {
      await page.getByRole('button', { name: 'Find the cheat' }).click();
      await page.getByText(/^Made in/).waitFor();
    },
  },
  start: { hash: '', act: (page) => page.getByText('Loading demo-cnn').waitFor() },
  broken: {
    hash: '#model=/icon.svg',
    act: (page) => page.locator('.problem').first().waitFor(),
  },
};

const LOOKS = [
  { name: 'wide-light', width: 1440, colorScheme: 'light' },
  { name: 'wide-dark', width: 1440, colorScheme: 'dark' },
  { name: 'narrow-light', width: 390, colorScheme: 'light' },
  { name: 'narrow-dark', width: 390, colorScheme: 'dark' },
];
/** The pictures of docs/studio/README.md. */
const DOCS = ['look', 'compare', 'paint', 'enough', 'inside', 'trust', 'many'];

const { address, browser, close } = await openStudio();
const wanted = values.docs ? DOCS : (values.only?.split(',') ?? Object.keys(SHOTS));
for (const name of wanted) {
  const shot = SHOTS[name];
  if (!shot) throw new Error(`there is no picture ${name}: ${Object.keys(SHOTS).join(', ')}`);
  const page = await browser.newPage({
    viewport: { width: values.docs ? 1280 : 1440, height: 1000 },
    reducedMotion: 'reduce',
    serviceWorkers: 'block',
  });
  page.setDefaultTimeout(120_000);
  await page.goto(`${address}${shot.hash}`);
  await shot.act(page);
  await page.waitForTimeout(300);
  if (values.docs) {
    const png = await page.screenshot();
    writeFileSync(`${out}/${name}.webp`, await sharp(png).webp({ quality: 80 }).toBuffer());
  } else
    for (const { name: look, width, colorScheme } of LOOKS) {
      await page.setViewportSize({ width, height: 1000 });
      await page.emulateMedia({ colorScheme: colorScheme === 'dark' ? 'dark' : 'light' });
      await page.waitForTimeout(200);
      await page.screenshot({ path: `${out}/${name}-${look}.png`, fullPage: true });
    }
  console.log(name);
  await page.close();
}
await close();
