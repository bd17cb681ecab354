/**
 * Makes docs/images/methods.webp: one scene, explained by every method. All maps use the same
 * colour scale. Run after `npm run build`.
 */
import { mkdirSync } from 'node:fs';
import sharp from 'sharp';
import { demoScenes } from '../dist/cli/demo/demo-scenes.js';
import { loadSprites } from '../dist/demo/sprites.js';
import { explain, loadModel, methods, prepareInput } from '../dist/node.js';
import { overlay } from '../dist/visualize/index.js';

const SIDE = 150;
const GAP = 8;
const HEAD = 22;
const COLUMNS = 7;

const [, scene] = demoScenes(await loadSprites(), 2);
const cells = [];
const texts = [];
const place = async ({ data, width, height, channels = 3 }, title) => {
  const [column, row] = [cells.length % COLUMNS, Math.floor(cells.length / COLUMNS)];
  const [left, top] = [GAP + column * (SIDE + GAP), HEAD + row * (SIDE + HEAD + GAP)];
  const input = await sharp(data, { raw: { width, height, channels } })
    .resize(SIDE, SIDE)
    .png()
    .toBuffer();
  cells.push({ input, left, top });
  texts.push(
    `<text x="${left}" y="${top - 6}" font-family="DejaVu Sans, sans-serif" font-size="11" ` +
      `fill="#222">${title}</text>`,
  );
};
await place(scene.image, `the picture: ${scene.className}`);
const models = { cnn: await loadModel('demo-cnn'), vit: await loadModel('demo-vit') };
for (const [name, method] of methods) {
  // Methods that use attention explain the transformer. All others explain the convolutional
  // network.
  const model = method.needs.includes('attention') ? models.vit : models.cnn;
  const explanation = await explain(model, await prepareInput(model, scene.image), {
    method: name,
    target: scene.label,
  });
  await place(overlay(scene.image, explanation), method.title);
  process.stderr.write(`${name}\n`);
}
const iia = await explain(models.vit, scene.image, { method: 'iia', target: scene.label });
await place(overlay(scene.image, iia), 'IIA (demo-vit)');
const width = GAP + COLUMNS * (SIDE + GAP);
const height = Math.ceil(cells.length / COLUMNS) * (SIDE + HEAD + GAP) + GAP;
mkdirSync('docs/images', { recursive: true });
await sharp({ create: { width, height, channels: 3, background: '#fff' } })
  .composite([
    ...cells,
    { input: Buffer.from(`<svg width="${width}" height="${height}">${texts.join('')}</svg>`) },
  ])
  .webp({ quality: 85 })
  .toFile('docs/images/methods.webp');
