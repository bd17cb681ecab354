import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/explanation.ts';
import { preprocess } from '../../src/model/input/preprocessing.ts';
import { readImage, readImageSize } from '../../src/node/read-image.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { decodeNpy, encodeNpy } from '../../src/tensor/npy.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { folderOfScenes, fovea, QUICK, records } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one', 'two']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => join(folder, ...parts);
const mapOf = async (path: string): Promise<Tensor> => decodeNpy(await readFile(at(path)), path);
const manifestOf = async (path: string): Promise<Manifest> =>
  JSON.parse(await readFile(at(path), 'utf8')) as Manifest;

describe('files', () => {
  test('map, overlay and manifest of each picture and method', async () => {
    const result = await fovea(
      [
        'explain',
        'one.png',
        'two.png',
        ...QUICK.slice(0, 2),
        '--methods',
        'random,occlusion',
        ...QUICK.slice(4),
        '--out',
        'maps',
      ],
      folder,
    );
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const methods = ['occlusion', 'random'];
    expect((await readdir(at('maps'))).sort()).toEqual(
      ['one', 'two'].flatMap((stem) =>
        methods.flatMap((method) =>
          ['json', 'npy', 'png'].map((format) => `${stem}.${method}.${format}`),
        ),
      ),
    );
    expect((await mapOf('maps/one.occlusion.npy')).shape).toEqual([224, 224]);
    const manifest = await manifestOf('maps/one.occlusion.json');
    expect(manifest).toMatchObject({
      method: 'occlusion',
      options: { window: 56, stride: 56 },
      seed: 0,
      image: { name: 'one.png', width: 224 },
      modelCalls: { forward: 17, backward: 0 },
    });
    expect(Object.keys(manifest)).not.toContain('seconds');
    expect(result.stdout).toMatch(/^picture +method +class/);
  });

  test("the overlay has the picture's own size", async () => {
    const { width, height, data } = await readImage(at('one.png'));
    const wide = { width, height: 100, data: data.subarray(0, 3 * width * 100) };
    expect(height).toBe(224);
    await writeFile(at('wide.png'), await encodePng(wide));
    await fovea(['explain', 'wide.png', ...QUICK, '--out', 'maps'], folder);
    expect(await readImageSize(at('maps/wide.occlusion.png'))).toMatchObject({
      width: 224,
      height: 100,
    });
    expect((await mapOf('maps/wide.occlusion.npy')).shape).toEqual([224, 224]);
  });

  test('the top superpixels of LIME as a picture: in color, all else dark and grey', async () => {
    const quick = [
      '--set',
      'lime.N=20',
      '--set',
      'lime.segmentation=slic',
      '--set',
      'lime.segments=9',
      '--set',
      'lime.top=2',
    ];
    const { code, stdout } = await fovea(
      ['explain', 'one.png', '--methods', 'lime', ...quick, '--out', 'lime', '--json'],
      folder,
    );
    expect(code).toBe(0);
    const [{ files }] = records(stdout);
    expect(files).toMatchObject({ top: join('lime', 'one.lime.top.png') });
    const [shown, whole] = [
      await readImage(at('lime/one.lime.top.png')),
      await readImage(at('one.png')),
    ];
    let [kept, dim] = [0, 0];
    const pixels = whole.data.length / 3;
    for (let i = 0; i < pixels; i++) {
      const [own, now] = [whole, shown].map(({ data }) => data.subarray(3 * i, 3 * i + 3));
      if (own.every((value, c) => value === now[c])) kept++;
      else if (now[0] === now[1] && now[1] === now[2] && now[0] <= 0.3 * Math.max(...own) + 1)
        dim++;
    }
    expect(kept / pixels).toBeGreaterThan(0.1);
    expect(kept / pixels).toBeLessThan(0.5);
    expect((kept + dim) / pixels).toBeGreaterThan(0.95); // all but the outline
  });

  test('--annotate draws class, method and a color bar around the picture', async () => {
    const { width, height, data } = await readImage(at('one.png'));
    const drawn = ['--format', 'png', '--opacity', '0', '--annotate', '--out', 'annotated'];
    const { code } = await fovea(['explain', 'one.png', ...QUICK, ...drawn], folder);
    expect(code).toBe(0);
    const picture = await readImage(at('annotated/one.occlusion.png'));
    const [left, top] = [(picture.width - width) / 2, 50];
    expect(picture.width).toBe(320);
    expect(picture.height).toBeGreaterThan(height + 80);
    // with opacity 0, the picture itself is unchanged
    for (const [x, y] of [
      [5, 5],
      [200, 100],
      [60, 210],
    ])
      expect([...picture.data.subarray(3 * ((y + top) * 320 + x + left)).subarray(0, 3)]).toEqual([
        ...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3),
      ]);
    const white = picture.data.subarray(0, 3 * 320 * top);
    expect(white.some((value) => value < 40)).toBe(true); // there is text above the picture
    const refused = await fovea(['explain', 'one.png', ...QUICK, '--opacity', '2'], folder);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('expected a number from 0 to 1');
  });

  test('--check writes what is sufficient and necessary, in words, as JSON and as pictures', async () => {
    const args = ['explain', 'one.png', ...QUICK, '--check', 'sufficient,necessary'];
    const first = await fovea([...args, '--out', 'checked'], folder);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const { checks, modelCalls, target } = await manifestOf('checked/one.occlusion.json');
    expect(modelCalls.forward).toBe(17); // of the map only
    expect(checks).toMatchObject({ grid: 8, baseline: 'blur' });
    expect(checks?.modelCalls).toBeLessThanOrEqual(122);
    expect(checks?.whole).toBeCloseTo(target.probability, 3);
    for (const statement of ['sufficient', 'necessary'] as const) {
      const { cells = [], share, shown = 0, hidden = 0 } = checks?.[statement] ?? {};
      expect(share).toBe(cells.length / 64);
      const percent = (value: number) => `${(100 * value).toFixed(1)}%`;
      const words = first.stdout.replace(/\s+/g, ' ');
      expect(words).toMatch(new RegExp(` ${statement}: .*${cells.length} of 64 cells`));
      expect(words).toContain(
        `${percent(shown)} with only these cells, ${percent(hidden)} without them`,
      );
    }

    // The picture of the sufficient cells shows them unchanged, and that of the necessary ones hides
    // them.
    const { data } = await readImage(at('one.png'));
    for (const [statement, isKept] of [
      ['sufficient', true],
      ['necessary', false],
    ] as const) {
      const drawn = await readImage(at(`checked/one.occlusion.${statement}.png`));
      const [cell = 0] = checks?.[statement]?.cells ?? [];
      const middle = (index: number) => 28 * index + 14;
      const pixel = 3 * (middle(Math.floor(cell / 8)) * 224 + middle(cell % 8));
      const isSame = [0, 1, 2].every((c) => drawn.data[pixel + c] === data[pixel + c]);
      expect(isSame, statement).toBe(isKept);
    }

    const again = await fovea([...args, '--out', 'checked', '--resume', '--json'], folder);
    const [record] = records(again.stdout);
    expect(record).toMatchObject({ kept: true, checks: JSON.parse(JSON.stringify(checks)) });
    expect(record.files).toMatchObject({
      sufficient: join('checked', 'one.occlusion.sufficient.png'),
      necessary: join('checked', 'one.occlusion.necessary.png'),
    });
  });

  test('--check notes a class that cannot be checked, and draws its words with --annotate', async () => {
    const args = ['explain', 'one.png', ...QUICK, '--check', 'contrastive', '--out', 'noted'];
    const other = await fovea([...args, '--target', 'top:2', '--annotate'], folder);
    expect(other.code).toBe(0);
    expect(other.stderr).toMatch(
      /^fovea: one.png: "[^"]+" is not the most probable class[^\n]+\n$/,
    );
    expect(other.stdout).toMatch(/\n {4}contrastive: /);
    const [name = ''] = (await readdir(at('noted'))).filter((file) => /contrastive/.test(file));
    const picture = await readImage(at('noted', name));
    expect(picture.width).toBe(320);
    expect(picture.height).toBeGreaterThan(224 + 50);
    const few = await fovea([...args, '--budget', '100'], folder);
    expect(few.code).toBe(2);
    expect(few.stderr).toContain('--budget 100: expected at least 124'); // 120 for the check
    const wrong = await fovea([...args, '--check', 'enough'], folder);
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain('expected one of sufficient, necessary, contrastive');
  });

  test('--against explains the difference of two classes, in files of its own', async () => {
    const against = ['--target', 'top1', '--against', 'top:2', '--out', 'contrast', '--json'];
    const { code, stdout } = await fovea(['explain', 'one.png', ...QUICK, ...against], folder);
    expect(code).toBe(0);
    const [record] = records(stdout);
    const path = record.files as { npy: string; json: string };
    const { target } = await manifestOf(path.json);
    const [first, second] = target.against ?? [];
    expect(path.npy).toBe(
      join('contrast', `one.occlusion.${target.index}-not-${first?.index}-${second?.index}.npy`),
    );
    const plain = ['--target', `${target.index}`, '--out', 'contrast', '--json'];
    await fovea(['explain', 'one.png', ...QUICK, ...plain], folder);
    const own = await mapOf('contrast/one.occlusion.npy');
    expect((await mapOf(path.npy)).data).not.toEqual(own.data);
    const top = ['--target', 'top:2', '--against', '3'];
    const refused = await fovea(['explain', 'one.png', ...QUICK, ...top], folder);
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('expected one of top1, a class index or a label');
  });

  test('several targets put the class index into the names', async () => {
    const { code, stdout } = await fovea(
      ['explain', 'one.png', ...QUICK, '--target', 'top:3', '--out', 'top', '--json'],
      folder,
    );
    expect(code).toBe(0);
    const indices = records(stdout).map(({ target }) => (target as { index: number }).index);
    expect(new Set(indices).size).toBe(3);
    expect((await readdir(at('top'))).sort()).toEqual(
      indices
        .flatMap((index) =>
          ['json', 'npy', 'png'].map((format) => `one.occlusion.${index}.${format}`),
        )
        .sort(),
    );
  });

  test('--target may be given several times', async () => {
    const args = ['explain', 'one.png', ...QUICK, '--out', 'several'];
    const { code, stdout } = await fovea([...args, '-t', '3', '--target', 'teapot'], folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^one\.png +occlusion +bicycle +/m);
    expect(stdout).toMatch(/^one\.png +occlusion +teapot +/m);
    const names = await readdir(at('several'));
    expect(names.filter((name) => name.endsWith('.npy'))).toHaveLength(2);
    expect(names).toContain('one.occlusion.3.npy');
  });

  test('--budget is shared by the maps of a local model, and --resume keeps the results', async () => {
    const args = ['explain', 'one.png', '--model', 'demo-cnn', '--methods', 'auto,lime'];
    const run = (...more: string[]) =>
      fovea([...args, '--json', '--budget', '82', '--out', 'shared', ...more], folder);
    expect(await run()).toMatchObject({ code: 0 });
    for (const method of ['auto', 'lime']) {
      const { budget, modelCalls } = await manifestOf(`shared/one.${method}.json`);
      expect(budget).toBe(40); // 82, without the probe and the classification, for two maps
      expect(modelCalls.forward).toBeLessThanOrEqual(40);
    }
    expect((await manifestOf('shared/one.auto.json')).extras.method).toBe('fullgrad');
    expect(records((await run('--resume')).stdout).map(({ kept }) => kept === true)).toEqual([
      true,
      true,
    ]);
    const none = await fovea([...args, '--budget', '3'], folder);
    expect(none).toMatchObject({ code: 2 });
    expect(none.stderr).toContain('--budget 3: expected at least 4 for 2 maps of 1 picture');
  });

  test('--resume keeps results of the same request, and makes all others', async () => {
    const again = async (...more: string[]) => {
      const args = ['explain', 'one.png', 'two.png', ...QUICK, '--out', 'kept', '--json'];
      const { code, stdout, stderr } = await fovea([...args, ...more], folder);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return records(stdout).map(({ kept = false }) => kept);
    };
    const made = async () => (await stat(at('kept/two.occlusion.npy'))).mtimeMs;
    expect(await again()).toEqual([false, false]);
    const before = await made();
    await rm(at('kept/one.occlusion.png'));
    expect(await again('--resume')).toEqual([false, true]);
    expect(await made()).toBe(before);
    expect(await again('--resume')).toEqual([true, true]);
    expect(await again('--resume', '--seed', '1')).toEqual([false, false]);
    expect(await made()).toBeGreaterThan(before);
  });

  test('--format selects the files, --quiet prints nothing', async () => {
    const result = await fovea(
      ['explain', 'one.png', ...QUICK, '--format', 'npy', '--out', 'raw', '--quiet'],
      folder,
    );
    expect(result).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await readdir(at('raw'))).toEqual(['one.occlusion.npy']);
  });

  test('inputs of one name do not overwrite each other', async () => {
    await mkdir(at('again'), { recursive: true });
    await cp(at('two.png'), at('again', 'one.png'));
    const { code, stderr } = await fovea(
      ['explain', 'one.png', 'again', ...QUICK, '--format', 'json', '--out', 'same'],
      folder,
    );
    expect(code).toBe(0);
    expect(stderr).toContain('same name');
    expect((await readdir(at('same'), { recursive: true })).sort()).toEqual([
      'again',
      join('again', 'one.occlusion.json'),
      'one.occlusion.json',
    ]);
  });
});

describe('inputs', () => {
  test('a pattern and a folder', async () => {
    await mkdir(at('album/deep'), { recursive: true });
    await cp(at('one.png'), at('album/p10.png'));
    await cp(at('two.png'), at('album/deep/p9.png'));
    await writeFile(at('album/readme.txt'), 'no picture');
    const folderRun = await fovea(
      ['explain', 'album', '--methods', 'random', '--out', 'a', '--json'],
      folder,
    );
    expect(records(folderRun.stdout).map(({ image }) => image)).toEqual([
      join('album', 'deep', 'p9.png'),
      join('album', 'p10.png'),
    ]);
    const pattern = await fovea(
      ['explain', 'album/**/*.png', '--methods', 'random', '--out', 'b', '--json'],
      folder,
    );
    expect(records(pattern.stdout)).toHaveLength(2);
  });

  test('a preprocessed tensor gives the map of its picture, and an overlay', async () => {
    await fovea(['explain', 'one.png', ...QUICK, '--out', 'maps'], folder);
    const { preprocessing } = await manifestOf('maps/one.occlusion.json');
    await writeFile(
      at('ready.npy'),
      encodeNpy(preprocess(await readImage(at('one.png')), preprocessing)),
    );
    const { code } = await fovea(['explain', 'ready.npy', ...QUICK, '--out', 'maps'], folder);
    expect(code).toBe(0);
    expect((await mapOf('maps/ready.occlusion.npy')).data).toEqual(
      (await mapOf('maps/one.occlusion.npy')).data,
    );
    expect(await readFile(at('maps/ready.occlusion.png'))).toEqual(
      await readFile(at('maps/one.occlusion.png')),
    );
  });

  test('a class by index and by label', async () => {
    const byLabel = await fovea(
      ['explain', 'one.png', ...QUICK, '--target', 'Soccer Ball', '--out', 'maps', '--json'],
      folder,
    );
    expect(records(byLabel.stdout)[0].target).toMatchObject({ index: 27, label: 'soccer ball' });
    const byIndex = await fovea(
      ['explain', 'one.png', ...QUICK, '--target', '27', '--out', 'maps', '--json'],
      folder,
    );
    expect(records(byIndex.stdout)[0].target).toEqual(records(byLabel.stdout)[0].target);
  });
});

test('--json: one object per line on stdout, and nothing else', async () => {
  const { stdout, stderr } = await fovea(
    [
      'explain',
      'one.png',
      'two.png',
      ...QUICK.slice(0, 2),
      '--methods',
      'random,occlusion',
      ...QUICK.slice(4),
      '--out',
      'maps',
      '--json',
    ],
    folder,
  );
  expect(stderr).toBe('');
  const lines = records(stdout);
  expect(lines.map(({ image, method }) => [image, method])).toEqual([
    ['one.png', 'random'],
    ['one.png', 'occlusion'],
    ['two.png', 'random'],
    ['two.png', 'occlusion'],
  ]);
  expect(Object.keys(lines[0])).toEqual([
    'image',
    'model',
    'method',
    'target',
    'files',
    'seconds',
    'modelCalls',
    'extras',
  ]);
  expect(lines[1]).toMatchObject({
    model: 'demo-cnn',
    target: {
      index: expect.any(Number),
      label: expect.any(String),
      probability: expect.any(Number),
    },
    files: {
      npy: join('maps', 'one.occlusion.npy'),
      png: join('maps', 'one.occlusion.png'),
      json: join('maps', 'one.occlusion.json'),
    },
    seconds: expect.any(Number),
    modelCalls: { forward: 17, backward: 0 },
  });
});

describe('the same request gives the same result', () => {
  const args = [
    ...['explain', 'one.png', '--methods', 'iassa,rise,occlusion,random', '--seed', '7'],
    ...['--set', 'rise.N=60', '--set', 'iassa.calls=60'],
    ...['--set', 'occlusion.stride=56'],
  ];

  test('two runs write identical files', async () => {
    for (const out of ['first', 'second'])
      expect((await fovea([...args, '--out', out], folder)).code).toBe(0);
    const names = await readdir(at('first'));
    expect(names).toHaveLength(12);
    for (const name of names)
      expect(await readFile(at('first', name)), name).toEqual(await readFile(at('second', name)));
  });

  test('the batch size changes no map by more than 1e-6 of its range', async () => {
    for (const size of ['1', '7', '64'])
      expect(
        (
          await fovea(
            [...args, '--batch-size', size, '--format', 'npy', '--out', `b${size}`],
            folder,
          )
        ).code,
      ).toBe(0);
    for (const name of await readdir(at('b1'))) {
      const { data } = await mapOf(join('b1', name));
      const scale = Math.max(...data.map(Math.abs));
      for (const other of ['b7', 'b64']) {
        const difference = (await mapOf(join(other, name))).data.map((value, i) =>
          Math.abs(value - data[i]),
        );
        expect(Math.max(...difference) / scale, `${other}/${name}`).toBeLessThan(1e-6);
      }
    }
  });

  test('another seed gives another RISE map', async () => {
    const map = async (seed: string) => {
      await fovea(
        [
          'explain',
          'one.png',
          '--methods',
          'rise',
          '--set',
          'rise.N=20',
          '--seed',
          seed,
          '--format',
          'npy',
          '--out',
          `seed${seed}`,
        ],
        folder,
      );
      return (await mapOf(`seed${seed}/one.rise.npy`)).data;
    };
    expect(await map('1')).not.toEqual(await map('2'));
  });
});
