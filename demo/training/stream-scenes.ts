/**
 * Writes the scenes of a range of seeds to standard output, so that training sees exactly what the
 * generator draws. A record is one label byte, then 224×224×3 bytes of RGB.
 *
 * Usage: node stream-scenes.js <first seed> <count> [clean | biased | tagged]
 * clean: no stickers. biased: the biased training set. tagged: clean scenes, each with the sticker.
 */
import { once } from 'node:events';
import type { Scene, Sprites } from '../../src/demo/scenes.ts';
import { createBiasedTrainingScene, createScene } from '../../src/demo/scenes.ts';
import { loadSprites } from '../../src/demo/sprites.ts';

const generators: Record<string, (sprites: Sprites, seed: number) => Scene> = {
  clean: createScene,
  biased: createBiasedTrainingScene,
  tagged: (sprites, seed) => createScene(sprites, seed, { tag: 'always' }),
};

const [first, count] = process.argv.slice(2, 4).map(Number);
const generator = generators[process.argv[4] ?? 'clean'];
if (!Number.isInteger(first) || !Number.isInteger(count) || !generator) {
  process.stderr.write(
    'usage: node stream-scenes.js <first seed> <count> [clean | biased | tagged]\n',
  );
  process.exit(2);
}
const sprites = await loadSprites();
for (let seed = first; seed < first + count; seed++) {
  const { label, image } = generator(sprites, seed);
  const record = new Uint8Array(1 + image.data.length);
  record[0] = label;
  record.set(image.data, 1);
  if (!process.stdout.write(record)) await once(process.stdout, 'drain');
}
