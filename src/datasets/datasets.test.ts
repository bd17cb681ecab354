import fs from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { File, ready } from 'h5wasm/node';
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest';
import { FoveaError } from '../errors.ts';
import { encodePng } from '../node/write-image.ts';
import { createDataset, readSample, type Sample } from './dataset.ts';
import { openDataset } from './index.ts';
import { parseShard, selectSamples } from './select.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-datasets-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(name: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(join(folder, name, '..'), { recursive: true });
  await writeFile(join(folder, name), bytes);
}

/** A picture of one row. */
const row = (pixels: readonly (readonly [number, number, number])[]) =>
  encodePng({ width: pixels.length, height: 1, data: Uint8Array.from(pixels.flat()) });
const GREY = [9, 9, 9] as const;

async function all(spec: string, options = {}): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of await openDataset(spec, options)) samples.push(sample);
  return samples;
}

describe('objects', () => {
  beforeAll(async () => {
    for (const name of ['a', 'b'])
      await write(`objects/images/${name}.png`, await row([GREY, GREY, GREY]));
    await write('objects/images/c.jpg', 'broken');
    await write(
      'objects/masks/a.png',
      await encodePng({ width: 3, height: 1, channels: 1, data: Uint8Array.of(0, 255, 7) }),
    );
    await write(
      'objects/labels.txt',
      'a.png\t294\tn02132136\tbrown_bear\nb.png\t5\tn1\tx\nc.jpg\t5\tn1\tx\nd.png\tbear\n',
    );
  });

  it('reads labels and masks; a picture without a mask file has no mask', async () => {
    const [a, b, ...rest] = await all(`objects:${folder}/objects`);
    expect(rest).toEqual([]);
    expect(a).toMatchObject({ id: 'a', label: { name: 'brown bear', indices: [294] } });
    expect([...(a.mask?.data ?? [])]).toEqual([0, 1, 1]);
    expect(b.mask).toBeUndefined();
  });

  it('reports a damaged picture when it is read, a wrong line when the set is opened', async () => {
    const dataset = await openDataset(`objects:${folder}/objects`);
    expect(await readSample(dataset, 2)).toMatchObject({
      code: 'image',
      message: expect.stringContaining('c.jpg'),
    });
    expect(dataset.problems).toEqual([
      expect.stringMatching(/line 4: expected FILE, ImageNet index/),
    ]);
  });
});

describe('image-folder', () => {
  beforeAll(async () => {
    for (const name of ['cat/x.png', 'cat/x2.png', 'dog/x.png'])
      await write(`classes/${name}`, await row([GREY, GREY]));
    await write(
      'masks/x2_1.png',
      await row([
        [1, 1, 1],
        [0, 0, 0],
      ]),
    );
  });

  it('uses folders as classes, and reads masks from a folder', async () => {
    const samples = await all(`image-folder:${folder}/classes`, { masks: join(folder, 'masks') });
    expect(samples.map(({ id, label, mask }) => [id, label?.name, mask && [...mask.data]])).toEqual(
      [
        ['cat.x', 'cat', undefined],
        ['cat.x2', 'cat', [1, 0]],
        ['dog.x', 'dog', undefined],
      ],
    );
    expect((await openDataset(`image-folder:${folder}/classes/cat`)).provides).toEqual([]);
  });

  it('refuses a folder of masks that belong to no picture', async () => {
    await expect(
      openDataset(`image-folder:${folder}/classes/dog`, { masks: folder }),
    ).rejects.toThrow('contains no mask for the pictures');
  });
});

test('samples that would share an id are numbered, also in a part of the data set', async () => {
  await write('twice/images/one.png', await row([GREY]));
  await mkdir(join(folder, 'twice/masks'), { recursive: true });
  await write('twice/labels.txt', 'one.png\t4\tn1\ta\none.png\t5\tn2\tb\n');
  const dataset = await openDataset(`objects:${folder}/twice`);
  expect((await all(`objects:${folder}/twice`)).map(({ id, label }) => [id, label?.name])).toEqual([
    ['one', 'a'],
    ['one.2', 'b'],
  ]);
  expect(selectSamples(dataset, { shard: { index: 1, count: 2 } }).idOf(0)).toBe('one.2');
  for (const name of ['a.b.png', 'a/b.png', 'a.b.2.png'])
    await write(`dots/x/${name}`, await row([GREY]));
  expect(new Set((await all(`image-folder:${folder}/dots`)).map(({ id }) => id)).size).toBe(3);
});

test('100,000 samples of one id', () => {
  const { length, idOf } = createDataset({
    name: 'same',
    length: 100_000,
    provides: [],
    protocol: [],
    problems: [],
    idOf: () => 'x',
    read: () => Promise.reject(new Error('not read')),
  });
  expect([idOf(0), idOf(1), idOf(length - 1)]).toEqual(['x', 'x.2', 'x.100000']);
});

test('pics-list: a line with 200,000 spaces in it', async () => {
  const spaces = ' '.repeat(200_000);
  await write('list/spaces.txt', `a${spaces}b\na b.png${spaces}4\n`);
  const dataset = await openDataset(`pics-list:${folder}/list/spaces.txt`);
  expect(dataset.problems).toHaveLength(1);
  expect(dataset.idOf(0)).toBe('1.a b.png');
});

test('pics-list: reads classes, pictures that occur twice, and lines without a class', async () => {
  await write('list/a b.png', await row([GREY]));
  await write('list/pics.txt', '\uFEFFa b.png 4\na b.png 7\na b.png\n');
  const dataset = await openDataset(`pics-list:${folder}/list/pics.txt`);
  expect(
    (await all(`pics-list:${folder}/list/pics.txt`)).map(({ id, label }) => [id, label?.indices]),
  ).toEqual([
    ['1.a b.png', [4]],
    ['2.a b.png', [7]],
  ]);
  expect(dataset.problems).toEqual([expect.stringContaining('line 3: expected FILE CLASS')]);
});

describe('voc', () => {
  const [AEROPLANE, SOFA, PERSON, RIM] = [
    [128, 0, 0],
    [0, 192, 0],
    [192, 128, 128],
    [224, 224, 192],
  ] as const;
  beforeAll(async () => {
    for (const id of ['p', 'q'])
      await write(`voc/JPEGImages/${id}.jpg`, await row([GREY, GREY, GREY, GREY, GREY]));
    await write(
      'voc/SegmentationClass/p.png',
      await row([AEROPLANE, RIM, SOFA, PERSON, [0, 0, 0]]),
    );
    await write(
      'voc/SegmentationClass/q.png',
      await encodePng({ width: 5, height: 1, channels: 1, data: Uint8Array.of(18, 255, 0, 0, 0) }),
    );
    await write('voc/ImageSets/Segmentation/val.txt', 'p\nq\n');
    const box = (name: string, x: number) =>
      `<object><name>${name}</name><bndbox><xmin>${x}</xmin><ymin>1</ymin>` +
      `<xmax>${x + 1}</xmax><ymax>1</ymax></bndbox></object>`;
    await write(
      'voc/Annotations/p.xml',
      `<annotation>${box('aeroplane', 1)}${box('sofa', 3)}</annotation>`,
    );
  });

  it('has one sample per ImageNet class, with the void pixels kept separate', async () => {
    const samples = await all(`voc:${folder}/voc`);
    expect(samples.map(({ id }) => id)).toEqual(['p.aeroplane', 'p.sofa', 'q.sofa']);
    expect([...(samples[1].mask?.data ?? [])]).toEqual([0, 0, 1, 0, 0]);
    expect([...(samples[1].void?.data ?? [])]).toEqual([0, 1, 0, 0, 0]);
    expect(samples[1].boxes).toEqual([{ left: 2, top: 0, width: 2, height: 1 }]);
    // A grey file contains the indices themselves.
    expect([...(samples[2].mask?.data ?? [])]).toEqual([1, 0, 0, 0, 0]);
  });

  it('counts void as object, as the published tables do', async () => {
    const [p] = await all(`voc:${folder}/voc`, { masks: 'union', void: 'object' });
    expect([...(p.mask?.data ?? [])]).toEqual([1, 1, 1, 1, 0]);
    expect(p.void).toBeUndefined();
  });

  it('names a colour that is not a class of VOC', async () => {
    await write(
      'voc/SegmentationClass/p.png',
      await row([[1, 2, 3], RIM, SOFA, PERSON, [0, 0, 0]]),
    );
    expect(
      await readSample(await openDataset(`voc:${folder}/voc`, { masks: 'union' }), 0),
    ).toMatchObject({
      code: 'image',
      message: expect.stringContaining('colour 1, 2, 3'),
    });
  });
});

describe('imagenet-segmentation', () => {
  const [W, H] = [3, 2];
  beforeAll(async () => {
    await ready;
    const file = new File(join(folder, 'seg.mat'), 'w');
    const refs = file.create_group('#refs#');
    const value = file.create_group('value');
    const reference = (name: string, data: Uint8Array | Uint16Array, shape: number[]) =>
      refs.create_dataset({ name, data, shape }).create_reference();
    // MATLAB's height × width × 3 is [3, width, height] here: value = 100 c + 10 y + x
    const picture = Uint8Array.from(
      { length: 3 * W * H },
      (_, i) => 100 * Math.floor(i / (W * H)) + 10 * (i % H) + Math.floor((i % (W * H)) / H),
    );
    // The pixels (y 0, x 0) and (y 1, x 2).
    const truth = reference('m', Uint8Array.of(1, 0, 0, 0, 0, 1), [W, H]);
    refs.create_dataset({ name: 'c', data: [truth], shape: [1, 1] });
    const cell = (
      refs.get('c') as unknown as { create_reference(): typeof truth }
    ).create_reference();
    const image = reference('i', picture, [3, W, H]);
    const bad = reference('b', Uint8Array.of(1, 2), [1, 2]);
    value.create_dataset({ name: 'img', data: [image, image], shape: [2, 1] });
    value.create_dataset({ name: 'gt', data: [cell, bad], shape: [2, 1] });
    const name = reference(
      'n',
      Uint16Array.from('n1 x', (letter) => letter.charCodeAt(0)),
      [4, 1],
    );
    value.create_dataset({ name: 'id', data: [name, name], shape: [2, 1] });
    file.close();
  });

  it('reverses the axes of MATLAB, and opens the cell around a mask', async () => {
    const [sample, ...rest] = await all(`imagenet-segmentation:${folder}/seg.mat`);
    expect(rest).toEqual([]); // the second mask is of another size
    expect(sample.id).toBe('1.n1_x');
    expect([sample.image.width, sample.image.height]).toEqual([W, H]);
    expect([...sample.image.data]).toEqual([
      0, 100, 200, 1, 101, 201, 2, 102, 202, 10, 110, 210, 11, 111, 211, 12, 112, 212,
    ]);
    expect([...(sample.mask?.data ?? [])]).toEqual([1, 0, 0, 0, 0, 1]);
  });

  it('refuses a file of another kind', async () => {
    await write('not.mat', 'MATLAB 5.0 MAT-file');
    await expect(openDataset(`imagenet-segmentation:${folder}/not.mat`)).rejects.toThrow(
      'not.mat is not a MATLAB v7.3 file',
    );
    await expect(openDataset(`imagenet-segmentation:${folder}`)).rejects.toThrow(
      'is not a MATLAB v7.3 file',
    );
    await expect(openDataset(`imagenet-segmentation:${folder}/none.mat`)).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('cannot be read'),
    });
    const dataset = await openDataset(`imagenet-segmentation:${folder}/seg.mat`);
    expect(await readSample(dataset, 1)).toMatchObject({
      code: 'image',
      message: expect.stringContaining('picture 2: the mask is 1×2'),
    });
  });

  it('gives one sentence per picture of a damaged file, and nothing else on stderr', async () => {
    const bytes = Buffer.from(await readFile(join(folder, 'seg.mat')));
    const run = (bytes: Uint8Array, name: string) =>
      write(name, bytes).then(() =>
        openDataset(`imagenet-segmentation:${folder}/${name}`).then((each) => readSample(each, 0)),
      );
    const printed = vi.spyOn(fs, 'writeSync'); // the HDF5 library prints past console.error
    const outcomes: unknown[] = [];
    for (let at = 16; at < bytes.length; at += 97) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 255;
      outcomes.push(await run(damaged, `damaged-${at}.mat`).catch((cause: unknown) => cause));
    }
    expect(printed.mock.calls.filter(([file]) => file === 2).length).toBe(0);
    printed.mockRestore();
    const errors = outcomes.filter((outcome) => outcome instanceof Error);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) {
      expect(error).toBeInstanceOf(FoveaError);
      expect(error.message).not.toContain('\n');
    }
  });
});

describe('demo-scenes', () => {
  it('are endless and the same for the same seed, and the mask is inside its box', async () => {
    const dataset = await openDataset('demo-scenes');
    expect(dataset.length).toBe(Number.POSITIVE_INFINITY);
    const sample = await dataset.read(123_456);
    expect([...(await dataset.read(123_456)).image.data]).toEqual([...sample.image.data]);
    expect([
      ...(await (await openDataset('demo-scenes', { seed: 1 })).read(123_456)).image.data,
    ]).not.toEqual([...sample.image.data]);
    const [{ left, top, width, height }] = sample.boxes ?? [];
    const inside = [...(sample.mask?.data ?? []).keys()].filter((i) => sample.mask?.data[i]);
    expect(inside.length).toBeGreaterThan(0);
    expect(Math.min(...inside.map((i) => i % 224))).toBe(left);
    expect(Math.max(...inside.map((i) => i % 224))).toBe(left + width - 1);
    expect(Math.min(...inside.map((i) => Math.floor(i / 224)))).toBe(top);
    expect(Math.max(...inside.map((i) => Math.floor(i / 224)))).toBe(top + height - 1);
  });
});

describe('selectSamples', () => {
  const ids = async (selection: Parameters<typeof selectSamples>[1]) => {
    const part = selectSamples(await openDataset('demo-scenes'), selection);
    return Array.from({ length: part.length }, (_, i) => Number(part.idOf(i).split('-')[2]));
  };

  it('limits, then shards: every sample is in one part', async () => {
    const parts = await Promise.all(
      [0, 1, 2].map((index) => ids({ limit: 10, shard: { index, count: 3 } })),
    );
    expect(parts).toEqual([
      [0, 3, 6, 9],
      [1, 4, 7],
      [2, 5, 8],
    ]);
    await expect(ids({})).rejects.toThrow('endless');
  });

  it('draws samples by a seed, without replacement', async () => {
    const finite = selectSamples(await openDataset('demo-scenes'), { limit: 50 });
    const draw = (seed: number) => {
      const part = selectSamples(finite, { sample: { count: 20, seed } });
      return Array.from({ length: part.length }, (_, i) => part.idOf(i));
    };
    expect(new Set(draw(1)).size).toBe(20);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(selectSamples(finite, { sample: { count: 99, seed: 1 } }).length).toBe(50);
  });

  it('describes the selection in the protocol', async () => {
    const scenes = await openDataset('demo-scenes', { seed: 2 });
    const finite = selectSamples(scenes, { limit: 50 });
    const added = (selection: Parameters<typeof selectSamples>[1]) =>
      selectSamples(finite, selection).protocol.slice(finite.protocol.length);
    expect(finite.protocol.slice(1)).toEqual([
      'Settings of the data set: seed=2.',
      'Pictures: the first 50 samples.',
    ]);
    expect(added({})).toEqual([]);
    expect(added({ limit: 50 })).toEqual([]);
    expect(added({ sample: { count: 20, seed: 3 } })).toEqual([
      'Pictures: 20 of 50 samples, drawn with seed 3.',
    ]);
    expect(added({ limit: 7, shard: { index: 2, count: 4 } })).toEqual([
      'Pictures: the first 7 of 50 samples; of these part 3 of 4.',
    ]);
    expect(added({ sample: { count: 20, seed: 3 }, limit: 7 })).toEqual([
      'Pictures: 20 of 50 samples, drawn with seed 3; of these the first 7.',
    ]);
    expect(added({ shard: { index: 2, count: 4 } })).toEqual(['Pictures: part 3 of 4.']);
  });

  it('takes the part from the command line or from the cluster', () => {
    expect(parseShard('3/16', {})).toEqual({ index: 2, count: 16 });
    expect(parseShard('auto/16', { JOB_COMPLETION_INDEX: '0' })).toEqual({ index: 0, count: 16 });
    expect(
      parseShard('auto', {
        SLURM_ARRAY_TASK_ID: '5',
        SLURM_ARRAY_TASK_MIN: '1',
        SLURM_ARRAY_TASK_COUNT: '8',
      }),
    ).toEqual({ index: 4, count: 8 });
    // If one task of an array is run again, the array has one task, and its id is still its index.
    const again = {
      SLURM_ARRAY_TASK_ID: '3',
      SLURM_ARRAY_TASK_MIN: '3',
      SLURM_ARRAY_TASK_COUNT: '1',
    };
    expect(parseShard('auto/16', again)).toEqual({ index: 3, count: 16 });
    expect(() => parseShard('auto/3', again)).toThrow(
      '--shard auto/3: SLURM_ARRAY_TASK_ID is 3: expected a number from 0 to 2; number the ' +
        'jobs from 0',
    );
    expect(() => parseShard('auto', { ...again, SLURM_ARRAY_TASK_ID: '4' })).toThrow(
      'SLURM_ARRAY_TASK_ID is 4',
    );
    for (const text of ['0/4', '5/4', '3', 'x/2', '1/0', 'auto/0'])
      expect(() => parseShard(text, {})).toThrow(`--shard ${text}`);
    expect(() => parseShard('auto/4', {})).toThrow(
      'neither JOB_COMPLETION_INDEX nor SLURM_ARRAY_TASK_ID is set',
    );
    expect(() => parseShard('auto', { JOB_COMPLETION_INDEX: '1' })).toThrow(
      'as in --shard auto/16',
    );
  });
});
