import { mkdirSync, writeFileSync } from 'node:fs';
import { File, ready } from 'h5wasm/node';
import sharp from 'sharp';
import { openDataset, readSample } from '../../../src/datasets/index.ts';
import { readMask } from '../../../src/datasets/mask-files.ts';
import { readBoxes } from '../../../src/datasets/voc-annotation.ts';
import { encodeNpy } from '../../../src/tensor/npy.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { defineTarget } from '../engine.ts';
import { temporaryFolder } from '../folder.ts';
import { mutateBytes } from '../mutations/bytes.ts';
import { mutateJsonFile } from '../mutations/json.ts';
import { chance, pick } from '../mutations/pick.ts';
import { mutateTextFile } from '../mutations/text.ts';

const [WIDTH, HEIGHT] = [16, 12];

const picture = (kind: 'png' | 'jpeg'): Promise<Buffer> =>
  sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: '#804020' } })
    .toFormat(kind)
    .toBuffer();

/** Opens a data set and reads all samples, as an evaluation does; damaged samples are skipped. */
async function readAll(name: string): Promise<void> {
  const dataset = await openDataset(name);
  for (let i = 0; i < Math.min(dataset.length, 50); i++) {
    const sample = await readSample(dataset, i);
    if (sample instanceof Error) continue;
    if (sample.mask && sample.mask.data.length !== sample.image.width * sample.image.height)
      throw new Error('a mask of another size than its picture');
  }
}

const INSTANCES = {
  info: { year: 2017 },
  images: [
    { id: 1, file_name: 'one.png', width: WIDTH, height: HEIGHT },
    { id: 2, file_name: 'two.png', width: WIDTH, height: HEIGHT },
  ],
  annotations: [
    {
      id: 1,
      image_id: 1,
      category_id: 18,
      iscrowd: 0,
      area: 20,
      bbox: [1, 2, 5, 4],
      segmentation: [[1, 2, 6, 2, 6, 6, 1, 6]],
    },
    {
      id: 2,
      image_id: 1,
      category_id: 17,
      iscrowd: 1,
      area: 9,
      bbox: [0, 0, 3, 3],
      segmentation: { size: [HEIGHT, WIDTH], counts: [10, 20, 162] },
    },
    {
      id: 3,
      image_id: 2,
      category_id: 18,
      iscrowd: 0,
      area: 9,
      bbox: [0, 0, 3, 3],
      segmentation: { size: [HEIGHT, WIDTH], counts: '1d0d00h0' },
    },
  ],
  categories: [
    { id: 18, name: 'dog' },
    { id: 17, name: 'cat' },
  ],
};

const coco = defineTarget<Uint8Array>({
  name: 'coco',
  count: 600,
  async prepare() {
    const folder = temporaryFolder('coco');
    for (const name of ['one.png', 'two.png']) writeFileSync(folder.at(name), await picture('png'));
    return {
      make: (random) => mutateJsonFile(INSTANCES, random),
      async read(bytes) {
        writeFileSync(folder.at('instances.json'), bytes);
        await readAll(`coco:${folder.at('instances.json')}`);
      },
      end: folder.remove,
    };
  },
});

const ANNOTATION = `<?xml version="1.0"?>
<annotation><folder>VOC2012</folder><size><width>${WIDTH}</width></size>
<object><name>dog</name><part><name>head</name></part><bndbox><xmin>2</xmin><ymin>3</ymin>
<xmax>9</xmax><ymax>8</ymax></bndbox></object>
<object><name>cat</name><bndbox><xmin>1.5</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox>
</object></annotation>`;
const MARKUP = [
  '<object>',
  '</object>',
  '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;&b;&b;">]>',
  '&c;',
  '<![CDATA[',
  ']]>',
  '<!--',
  '-->',
  '<__proto__>1</__proto__>',
  '<constructor/>',
  '&#0;',
  '&#x110000;',
  '<bndbox><xmin>',
  '<?xml?>',
  '<a b="',
  "<a b='",
];

const vocXml = defineTarget<Uint8Array>({
  name: 'voc-xml',
  count: 800,
  prepare() {
    const folder = temporaryFolder('voc-xml');
    return {
      make(random) {
        if (chance(random, 0.5)) return mutateTextFile(ANNOTATION, random);
        const at = random.integer(ANNOTATION.length);
        const part = pick(random, MARKUP).repeat(pick(random, [1, 2, 300, 20_000]));
        return new TextEncoder().encode(ANNOTATION.slice(0, at) + part + ANNOTATION.slice(at));
      },
      read(bytes) {
        writeFileSync(folder.at('a.xml'), bytes);
        return readBoxes(folder.at('a.xml'), 'dog');
      },
      end: folder.remove,
    };
  },
});

/** A small `gtsegs_ijcv.mat`, as MATLAB writes it: cells of references. */
async function matlabFile(path: string): Promise<void> {
  await ready;
  const file = new File(path, 'w');
  const refs = file.create_group('#refs#');
  const value = file.create_group('value');
  const area = WIDTH * HEIGHT;
  const reference = (name: string, data: Uint8Array | Uint16Array, shape: number[]) =>
    refs.create_dataset({ name, data, shape }).create_reference();
  const image = reference('i', new Uint8Array(3 * area).fill(100), [3, WIDTH, HEIGHT]);
  const mask = reference('m', new Uint8Array(area).fill(1), [WIDTH, HEIGHT]);
  const name = reference('n', Uint16Array.of(110, 49), [2, 1]);
  for (const [cell, to] of Object.entries({ img: image, gt: mask, id: name }))
    value.create_dataset({ name: cell, data: [to, to], shape: [2, 1] });
  file.close();
}

const MATLAB_5 = Buffer.concat([
  Buffer.from('MATLAB 5.0 MAT-file, Platform: GLNXA64'.padEnd(124)),
  Buffer.from([0, 1, 0x49, 0x4d, 14, 0, 0, 0, 56, 0, 0, 0]),
  Buffer.alloc(56, 6),
]);

const mat = defineTarget<Uint8Array>({
  name: 'mat',
  count: 400,
  async prepare() {
    const folder = temporaryFolder('mat');
    await matlabFile(folder.at('whole.mat'));
    const { readFileSync } = await import('node:fs');
    const whole = new Uint8Array(readFileSync(folder.at('whole.mat')));
    return {
      make: (random) => mutateBytes(chance(random, 0.1) ? new Uint8Array(MATLAB_5) : whole, random),
      async read(bytes) {
        writeFileSync(folder.at('a.mat'), bytes);
        await readAll(`imagenet-segmentation:${folder.at('a.mat')}`);
      },
      end: folder.remove,
    };
  },
});

const LISTS = {
  'pics-list': ['list.txt', 'one.png 3\ntwo.png 999\n# a comment\n\none.png 0\n'],
  objects: ['labels.txt', 'one.png\t207\tn02099601\tgolden_retriever\ntwo.png\t3\tn1\tshark\n'],
  voc: ['ImageSets/Segmentation/val.txt', 'one\ntwo\n'],
} as const;

/** Lists of pictures: of the IIA repository, of single objects, of VOC. */
const lists = defineTarget<{ readonly kind: keyof typeof LISTS; readonly bytes: Uint8Array }>({
  name: 'lists',
  count: 200,
  async prepare() {
    const folder = temporaryFolder('lists');
    const below = ['images', 'masks', 'JPEGImages', 'SegmentationClass', 'ImageSets/Segmentation'];
    for (const name of below) mkdirSync(folder.at(name), { recursive: true });
    for (const name of ['one', 'two']) {
      for (const at of ['', 'images', 'masks', 'SegmentationClass'])
        writeFileSync(folder.at(at, `${name}.png`), await picture('png'));
      writeFileSync(folder.at('JPEGImages', `${name}.jpg`), await picture('jpeg'));
    }
    return {
      make(random) {
        const kind = pick(random, Object.keys(LISTS) as (keyof typeof LISTS)[]);
        return { kind, bytes: mutateTextFile(LISTS[kind][1], random) };
      },
      async read({ kind, bytes }) {
        const [path] = LISTS[kind];
        writeFileSync(folder.at(path), bytes);
        await readAll(`${kind}:${kind === 'pics-list' ? folder.at(path) : folder.at()}`);
      },
      end: folder.remove,
    };
  },
});

const masks = defineTarget<{ readonly name: string; readonly bytes: Uint8Array }>({
  name: 'masks',
  count: 500,
  async prepare() {
    const folder = temporaryFolder('masks');
    const seeds = {
      'a.png': new Uint8Array(await picture('png')),
      'a.jpg': new Uint8Array(await picture('jpeg')),
      'a.npy': encodeNpy(tensor([1, HEIGHT, WIDTH])),
    };
    return {
      make(random) {
        const name = pick(random, Object.keys(seeds) as (keyof typeof seeds)[]);
        return { name, bytes: mutateBytes(seeds[name], random) };
      },
      read({ name, bytes }) {
        writeFileSync(folder.at(name), bytes);
        return readMask(folder.at(name));
      },
      end: folder.remove,
    };
  },
});

export const datasets = [coco, vocXml, mat, lists, masks];
