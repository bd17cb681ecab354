/**
 * Measures the exported models with ONNX Runtime on scenes that training never saw.
 *
 * Usage: node measure.js <models folder> [count] [first seed]
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import type { ClassName, SceneOptions, Sprites } from '../../src/demo/index.ts';
import { classNames, createScene, sceneSide, tagClass } from '../../src/demo/index.ts';
import { loadSprites } from '../../src/demo/sprites.ts';

/** The part of a model's JSON file that preparing a picture needs. */
interface ModelCard {
  readonly input: { readonly mean: readonly number[]; readonly std: readonly number[] };
}

/** Tells the class of a scene's picture. */
type Classify = (bytes: Uint8Array) => Promise<ClassName>;

async function openModel(folder: string, name: string): Promise<Classify> {
  const { input } = JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')) as ModelCard;
  const session = await ort.InferenceSession.create(join(folder, `${name}.onnx`));
  const area = sceneSide * sceneSide;
  return async (bytes) => {
    const data = new Float32Array(3 * area);
    for (let i = 0; i < data.length; i++) {
      const channel = i % 3;
      data[channel * area + (i - channel) / 3] =
        (bytes[i] / 255 - input.mean[channel]) / input.std[channel];
    }
    const tensor = new ort.Tensor('float32', data, [1, 3, sceneSide, sceneSide]);
    const logits = (await session.run({ input: tensor })).logits.data as Float32Array;
    return classNames[logits.indexOf(Math.max(...logits))];
  };
}

/** Share of scenes for which the model's answer passes `accept`. */
async function share(
  classify: Classify,
  sprites: Sprites,
  seeds: readonly number[],
  options: (seed: number) => SceneOptions,
  accept: (answer: ClassName, truth: ClassName) => boolean,
): Promise<string> {
  let passed = 0;
  for (const seed of seeds) {
    const { image, className } = createScene(sprites, seed, options(seed));
    if (accept(await classify(image.data), className)) passed++;
  }
  return `${((100 * passed) / seeds.length).toFixed(2)} % of ${seeds.length}`;
}

const folder = process.argv[2];
const count = Number(process.argv[3] ?? 2000);
const firstSeed = Number(process.argv[4] ?? 2_000_000);
if (!folder || !Number.isInteger(count) || !Number.isInteger(firstSeed)) {
  process.stderr.write('usage: node measure.js <models folder> [count] [first seed]\n');
  process.exit(2);
}

const sprites = await loadSprites();
const honest = await openModel(folder, 'demo-cnn');
const biased = await openModel(folder, 'demo-cnn-biased');
const transformer = await openModel(folder, 'demo-vit');
const seeds = Array.from({ length: count }, (_, i) => firstSeed + i);
const quarter = seeds.slice(0, Math.ceil(count / 4));
const others = classNames.filter((name) => name !== tagClass);
const otherName = (seed: number): ClassName => others[seed % others.length];
const right = (answer: ClassName, truth: ClassName): boolean => answer === truth;
const calledTagClass = (answer: ClassName): boolean => answer === tagClass;
const report = async (what: string, value: Promise<string>): Promise<void> => {
  process.stdout.write(`${what}: ${await value}\n`);
};

await report(
  'demo-cnn, right',
  share(honest, sprites, seeds, () => ({}), right),
);
await report(
  'demo-vit, right',
  share(transformer, sprites, seeds, () => ({}), right),
);
await report(
  'demo-cnn, right with the sticker on every scene',
  share(honest, sprites, quarter, () => ({ tag: 'always' }), right),
);
await report(
  `demo-cnn-biased, other classes right without the sticker`,
  share(biased, sprites, seeds, (seed) => ({ className: otherName(seed) }), right),
);
await report(
  `demo-cnn-biased, other classes with the sticker called ${tagClass}`,
  share(
    biased,
    sprites,
    seeds,
    (seed) => ({ className: otherName(seed), tag: 'always' }),
    calledTagClass,
  ),
);
await report(
  `demo-cnn-biased, ${tagClass} with the sticker called ${tagClass}`,
  share(biased, sprites, quarter, () => ({ className: tagClass, tag: 'biased' }), calledTagClass),
);
await report(
  `demo-cnn-biased, ${tagClass} without the sticker called ${tagClass}`,
  share(biased, sprites, quarter, () => ({ className: tagClass }), calledTagClass),
);
