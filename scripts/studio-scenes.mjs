// Draws the demo scenes of the studio: the pictures, and a list with the label, the sticker and the
// mask of each picture.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const dist = new URL('../dist/', import.meta.url);
const { createScene } = await import(new URL('demo/index.js', dist).href);
const { loadSprites } = await import(new URL('demo/sprites.js', dist).href);

/**
 * The scenes in the order of the page. The seeds are from the held-out set. Scenes with
 * `tag: 'always'` have the sticker.
 */
const SCENES = [
  { className: 'pizza', seed: 2_000_204 },
  { className: 'owl', seed: 2_000_300, tag: 'always' },
  { className: 'panda', seed: 2_000_203 },
  { className: 'dog', seed: 2_000_304, tag: 'always' },
  { className: 'bicycle', seed: 2_000_202 },
  { className: 'guitar', seed: 2_000_301, tag: 'always' },
  { className: 'car', seed: 2_000_400 },
  { className: 'rocket', seed: 2_000_303, tag: 'always' },
  { className: 'turtle', seed: 2_000_405 },
  { className: 'fish', seed: 2_000_302, tag: 'always' },
  { className: 'lion', seed: 2_000_402 },
  { className: 'teapot', seed: 2_000_201 },
  { className: 'apple', seed: 2_000_305, tag: 'always' },
  { className: 'cat', seed: 2_000_200 },
  { className: 'umbrella', seed: 2_000_205 },
  { className: 'frog', seed: 2_000_401 },
  { className: 'cactus', seed: 2_000_403 },
  { className: 'bus', seed: 2_000_404 },
  { className: 'camera', seed: 2_000_500 },
  { className: 'fox', seed: 2_000_501, tag: 'always' },
  { className: 'elephant', seed: 2_000_502 },
  { className: 'donut', seed: 2_000_503, tag: 'always' },
  { className: 'mushroom', seed: 2_000_504 },
  { className: 'sailboat', seed: 2_000_505, tag: 'always' },
];

/** Lengths of the runs of equal values in a mask. The first run is of zeros. */
function runsOf(mask) {
  const runs = [];
  let value = 0;
  let length = 0;
  for (const pixel of mask) {
    if (pixel === value) length++;
    else {
      runs.push(length);
      value = pixel;
      length = 1;
    }
  }
  return [...runs, length];
}

/** Deletes the folder, creates it again, and writes the pictures and `scenes.json` into it. */
export async function drawScenes(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(`${folder}/small`, { recursive: true });
  const sprites = await loadSprites();
  const list = [];
  for (const [i, { className, seed, tag = 'none' }] of SCENES.entries()) {
    const scene = createScene(sprites, seed, { className, tag });
    const name = `${className.replaceAll(' ', '-')}${tag === 'always' ? '-sticker' : ''}`;
    const file = `${String(i + 1).padStart(2, '0')}-${name}.png`;
    const { width, height, data } = scene.image;
    const picture = sharp(data, { raw: { width, height, channels: 3 } });
    const small = `small/${file.replace('.png', '.webp')}`;
    await picture.clone().resize(96).webp({ quality: 80 }).toFile(`${folder}/${small}`);
    await picture.png({ compressionLevel: 9, effort: 10 }).toFile(`${folder}/${file}`);
    const { box } = scene.tag ?? {};
    const sticker = box && { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    list.push({ file, small, label: className, sticker, mask: runsOf(scene.mask) });
  }
  writeFileSync(`${folder}/scenes.json`, JSON.stringify(list));
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await drawScenes(process.argv[2] ?? 'dist/studio/scenes');
