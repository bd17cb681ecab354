/**
 * Makes docs/images/demo.webp: the maps of three methods for a model that uses the object and for a
 * model that uses a tag beside the object. Run after `npm run build`.
 */
import { mkdirSync } from 'node:fs';
import sharp from 'sharp';
import { demoScenes, taggedScenes } from '../dist/cli/demo/demo-scenes.js';
import { loadSprites } from '../dist/demo/sprites.js';
import { explain, loadModel, methods } from '../dist/node.js';
import { overlay } from '../dist/visualize/index.js';

const SIDE = 224;
const GAP = 12;
const HEAD = 34;
const METHODS = ['iassa', 'rise', 'occlusion'];

const sprites = await loadSprites();
const scenes = demoScenes(sprites, 12);
const rows = [
  { model: 'demo-cnn', title: 'honest model', scene: scenes[1] },
  { model: 'demo-cnn', title: 'honest model', scene: scenes[3] },
  { model: 'demo-cnn-biased', title: 'biased model', scene: taggedScenes(sprites, 1)[0].tagged },
];

const cells = [];
const texts = [];
const text = (x, y, words, weight) =>
  texts.push(
    `<text x="${x}" y="${y}" font-family="DejaVu Sans, sans-serif" font-size="13" ` +
      `font-weight="${weight}" fill="#222">${words}</text>`,
  );
const place = async (pixels, column, row) => {
  const { data, width, height, channels = 3 } = pixels;
  const input = await sharp(data, { raw: { width, height, channels } })
    .resize(SIDE, SIDE)
    .png()
    .toBuffer();
  cells.push({ input, left: GAP + column * (SIDE + GAP), top: HEAD + row * (SIDE + HEAD + GAP) });
};
for (const [r, { model: name, title, scene }] of rows.entries()) {
  const model = await loadModel(name);
  const top = HEAD + r * (SIDE + HEAD + GAP) - 10;
  await place(scene.image, 0, r);
  for (const [m, method] of METHODS.entries()) {
    const explanation = await explain(model, scene.image, { method });
    const { label, probability } = explanation.target;
    if (m === 0) text(GAP, top, `${title}: ${label} ${(100 * probability).toFixed(0)}%`, 'bold');
    await place(overlay(scene.image, explanation), m + 1, r);
    text(GAP + (m + 1) * (SIDE + GAP), top, methods.get(method).title, 'normal');
  }
  await model.dispose();
}
const width = GAP + (METHODS.length + 1) * (SIDE + GAP);
const height = rows.length * (SIDE + HEAD + GAP);
mkdirSync('docs/images', { recursive: true });
await sharp({ create: { width, height, channels: 3, background: '#fff' } })
  .composite([
    ...cells,
    { input: Buffer.from(`<svg width="${width}" height="${height}">${texts.join('')}</svg>`) },
  ])
  .webp({ quality: 88 })
  .toFile('docs/images/demo.webp');
