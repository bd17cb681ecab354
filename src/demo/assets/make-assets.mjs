/**
 * Recreates the sprites of this folder from the npm package `@lobehub/fluent-emoji-3d`.
 * Usage: node src/demo/assets/make-assets.mjs <folder of the unpacked package>
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

/** Longer side of a sprite in pixels: a little more than the largest size it is drawn at. */
const SIDE = 160;

/** File name here -> code point, the package's file name. */
const CODE_POINTS = {
  'airplane': '2708-fe0f',
  'alarm clock': '23f0',
  'apple': '1f34e',
  'bicycle': '1f6b2',
  'broccoli': '1f966',
  'bus': '1f68c',
  'butterfly': '1f98b',
  'cactus': '1f335',
  'camera': '1f4f7',
  'car': '1f697',
  'cat': '1f431',
  'dog': '1f436',
  'donut': '1f369',
  'elephant': '1f418',
  'fish': '1f41f',
  'fox': '1f98a',
  'frog': '1f438',
  'guitar': '1f3b8',
  'hamburger': '1f354',
  'ladybug': '1f41e',
  'lion': '1f981',
  'mushroom': '1f344',
  'owl': '1f989',
  'panda': '1f43c',
  'pizza': '1f355',
  'rocket': '1f680',
  'sailboat': '26f5',
  'soccer ball': '26bd',
  'strawberry': '1f353',
  'teapot': '1fad6',
  'turtle': '1f422',
  'umbrella': '2602-fe0f',
  // Distractors: they appear in scenes but are no classes.
  'battery': '1f50b',
  'bell': '1f514',
  'book': '1f4d5',
  'box': '1f4e6',
  'briefcase': '1f4bc',
  'candle': '1f56f',
  'chair': '1fa91',
  'gem': '1f48e',
  'hammer': '1f528',
  'log': '1fab5',
  'magnet': '1f9f2',
  'padlock': '1f512',
  'puzzle': '1f9e9',
  'rock': '1faa8',
  'shoe': '1f45f',
  'socks': '1f9e6',
};

/** The package writes some code points with the emoji selector `fe0f` and some without. */
async function openEmoji(packageFolder, codePoint) {
  const names = [codePoint, `${codePoint}-fe0f`, codePoint.replace('-fe0f', '')];
  for (const name of names) {
    const input = sharp(join(packageFolder, 'assets', `${name}.webp`));
    if (await input.metadata().then(() => true, () => false)) return input;
  }
  throw new Error(`no emoji ${codePoint} in ${packageFolder}`);
}

const packageFolder = process.argv[2];
if (!packageFolder) throw new Error('usage: node src/demo/assets/make-assets.mjs <package folder>');
const target = fileURLToPath(new URL('.', import.meta.url));
await mkdir(target, { recursive: true });
for (const [name, codePoint] of Object.entries(CODE_POINTS)) {
  const emoji = await openEmoji(packageFolder, codePoint);
  // Trimmed, so that a sprite's size is the object's size.
  const trimmed = await emoji
    .ensureAlpha()
    .trim({ background: { r: 0, g: 0, b: 0, alpha: 0 }, threshold: 8 })
    .png()
    .toBuffer();
  const sprite = await sharp(trimmed)
    .resize(SIDE, SIDE, { fit: 'inside' })
    .webp({ quality: 88, alphaQuality: 100, effort: 6 })
    .toBuffer();
  await writeFile(join(target, `${name.replaceAll(' ', '-')}.webp`), sprite);
}
