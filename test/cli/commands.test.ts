import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { methods } from '../../src/methods/index.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { decodeNpy } from '../../src/tensor/npy.ts';
import { VERSION } from '../../src/version.ts';
import { CLI, folderOfScenes, fovea, ONE_LINE, records } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one', 'two']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => join(folder, ...parts);

describe('help', () => {
  test('--version', async () => {
    expect(await fovea(['--version'], folder)).toEqual({
      code: 0,
      stdout: `${VERSION}\n`,
      stderr: '',
    });
  });

  test.each([
    [[]],
    [['explain']],
    [['iassa']],
    [['iia']],
    [['sag']],
    [['alternates']],
    [['evaluate']],
    [['segmentation']],
    [['methods']],
    [['metrics']],
    [['datasets']],
    [['inspect']],
    [['demo']],
  ])('%j --help', async (command: string[]) => {
    const { code, stdout, stderr } = await fovea([...command, '--help'], folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: fovea ${command.join('')}`.trimEnd());
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test('no command at all: the help, on stderr', async () => {
    const { code, stdout, stderr } = await fovea([], folder);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: fovea');
  });
});

describe('methods', () => {
  test('lists every method', async () => {
    const { code, stdout } = await fovea(['methods'], folder);
    expect(code).toBe(0);
    for (const { name, title, paper } of methods) {
      expect(stdout).toContain(`${name} `);
      expect(stdout).toContain(title);
      expect(stdout.replace(/\s+/g, ' ')).toContain(paper);
    }
  });

  test('--json', async () => {
    const listed = JSON.parse((await fovea(['methods', '--json'], folder)).stdout) as Record<
      string,
      unknown
    >[];
    expect(listed.map(({ name }) => name)).toEqual(methods.names);
    expect(Object.keys(listed[0])).toEqual([
      'name',
      'title',
      'family',
      'needs',
      'uses',
      'signed',
      'cost',
      'paper',
      'options',
    ]);
  });

  test('one method with its options', async () => {
    const { stdout } = await fovea(['methods', 'occlusion'], folder);
    expect(stdout).toContain('--set occlusion.NAME=VALUE');
    expect(stdout).toMatch(/stride: integer.*\n.*not given: 8/s);
    expect(stdout).toMatch(/score: .*default "probability"/);
    expect(
      JSON.parse((await fovea(['methods', 'occlusion', '--json'], folder)).stdout),
    ).toMatchObject({ name: 'occlusion', signed: true });
  });
});

describe('inspect', () => {
  test('--classes lists the classes, or those whose label contains a text', async () => {
    const all = await fovea(['inspect', 'demo-cnn', '--classes'], folder);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout.trimEnd().split('\n')).toHaveLength(2 + 32);
    const some = await fovea(['inspect', 'demo-cnn', '--classes', 'Pot', '--json'], folder);
    const listed = JSON.parse(some.stdout) as { index: number; label: string }[];
    expect(listed.map(({ label }) => label)).toEqual(['teapot']);
    expect(all.stdout).toMatch(new RegExp(`^ +${listed[0]?.index}  teapot$`, 'm'));
    const none = await fovea(['inspect', 'demo-cnn', '--classes', 'teapto'], folder);
    expect(none).toMatchObject({ code: 2, stdout: '' });
    expect(none.stderr).toContain(
      'no class of demo-cnn contains "teapto". The nearest names are "teapot"',
    );
  });

  test('describes the model', async () => {
    const { code, stdout, stderr } = await fovea(['inspect', 'demo-cnn'], folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const text of [
      'fingerprint',
      '224',
      '32: airplane',
      'opset',
      'Conv',
      'Feature maps',
      'gradients      yes',
    ])
      expect(stdout).toContain(text);
  });

  test('--json', async () => {
    const described = JSON.parse(
      (await fovea(['inspect', 'demo-cnn', '--json'], folder)).stdout,
    ) as Record<string, unknown>;
    expect(described).toMatchObject({
      name: 'demo-cnn',
      classes: 32,
      output: 'logits',
      operators: { Conv: expect.any(Number) },
      opset: { 'ai.onnx': expect.any(Number) },
    });
  });
});

describe('iia', () => {
  const list = async (text: string) => writeFile(at('pics.txt'), text);

  test('maps for the class of each line, named after it', async () => {
    await mkdir(at('pictures'));
    for (const name of ['one', 'two'])
      await copyFile(at(`${name}.png`), at('pictures', `${name}.png`));
    await list('# pictures and classes\none.png 3\r\n\ntwo.png\t0\none.png 0\n');
    const { code, stdout, stderr } = await fovea(
      [
        'iia',
        '--model',
        'demo-cnn',
        '--pics',
        'pics.txt',
        '--images',
        'pictures',
        '--out',
        'iia',
        '--json',
        '--set',
        'steps=2',
      ],
      folder,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const done = records(stdout) as unknown as {
      image: string;
      target: { index: number };
      files: Record<string, string>;
      modelCalls: object;
    }[];
    expect(done.map(({ image, target }) => [image, target.index])).toEqual([
      [join('pictures', 'one.png'), 3],
      [join('pictures', 'two.png'), 0],
      [join('pictures', 'one.png'), 0],
    ]);
    expect(done.map(({ files }) => files.png)).toEqual(
      ['one.iia.3-bicycle.png', 'two.iia.0-airplane.png', 'one.iia.0-airplane.png'].map((name) =>
        join('iia', name),
      ),
    );
    expect(done[0].modelCalls).toEqual({ forward: 6, backward: 4 });
    for (const path of Object.values(done[0].files)) expect(existsSync(at(path))).toBe(true);
    expect(decodeNpy(await readFile(at(done[0].files.layer)), 'layer').shape).toEqual([7, 7]);
    const again = await fovea(['explain', 'iia', '--method', 'random'], folder);
    expect(again.stderr).toContain('contains no pictures'); // results are not inputs
  });

  test('one target for all, beside the list', async () => {
    await list('one.png 3\ntwo.png 0\n');
    const { stdout } = await fovea(
      ['iia', '--pics', 'pics.txt', '-t', '5', '--json', '--format', 'npy', '--set', 'steps=1'],
      folder,
    );
    expect(records(stdout).map(({ target }) => (target as { index: number }).index)).toEqual([
      5, 5,
    ]);
  });

  test('wrong lines are reported, the others are explained', async () => {
    await list('one.png 3\ntwo.png cat\nthree.png 1\n');
    const { code, stdout, stderr } = await fovea(
      ['iia', '--pics', 'pics.txt', '--json', '--set', 'steps=1'],
      folder,
    );
    expect(code).toBe(1);
    expect(stderr).toContain(
      'pics.txt, line 2: expected FILE CLASS with a class index, not "two.png cat"',
    );
    expect(stderr).toContain('three.png does not exist');
    expect(records(stdout)).toHaveLength(1);
  });

  test.each([
    [
      'nowhere.txt',
      undefined,
      /nowhere.txt, the list of pictures, cannot be read: it does not exist/,
    ],
    ['pics.txt', '\n', /--pics pics.txt is empty: expected lines of FILE CLASS/],
    ['pics.txt', 'one.png 32\n', /target 32 is out of range: demo-cnn has 32 classes, 0 to 31/],
  ])('%s with %j is wrong usage', async (name, text, message) => {
    if (text !== undefined) await list(text);
    const { code, stderr } = await fovea(['iia', '-m', 'demo-cnn', '--pics', name], folder);
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

describe('iassa', () => {
  const cnn = ['--model', 'demo-cnn'];
  const quick = ['--set', 'window=60', '--set', 'stride=60', '--set', 'iterations=1'];

  beforeAll(async () => {
    await mkdir(at('gt'));
    const mask = (left: number) => ({
      width: 224,
      height: 224,
      channels: 1 as const,
      data: Uint8Array.from({ length: 224 * 224 }, (_, i) =>
        i % 224 >= left && i % 224 < left + 60 ? 255 : 0,
      ),
    });
    await writeFile(at('gt/one_0.png'), await encodePng(mask(20)));
    await writeFile(at('gt/one_1.png'), await encodePng(mask(120)));
  });

  test('maps for all pictures, measures for those with a mask', async () => {
    const { code, stdout, stderr } = await fovea(
      [
        'iassa',
        ...cnn,
        '--query-path',
        '*.png',
        '--save-path',
        'maps/',
        '--gt-path',
        'gt',
        ...quick,
      ],
      folder,
    );
    expect(stderr).toBe('fovea: 1 of 2 pictures have no mask in gt: they are not measured\n');
    expect(stdout).toMatch(/measure +image level +pixel level/);
    expect(stdout).toContain('1 picture with a mask.');
    expect(code).toBe(0);
  });

  test('--json: the scores are part of the record, the averages come last', async () => {
    const { stdout } = await fovea(
      [
        'iassa',
        '--query-path',
        'one.png',
        'two.png',
        '--save-path',
        'maps/',
        '--gt-path',
        'gt',
        '--json',
        ...quick,
      ],
      folder,
    );
    const [one, two, summary] = records(stdout);
    const names = ['deletion', 'insertion', 'f1', 'iou', 'pointing-game'];
    expect(Object.keys(one.scores as object)).toEqual(names);
    expect(two).not.toHaveProperty('scores');
    expect(summary).toMatchObject({ summary: { pictures: 1, imageLevel: one.scores } });
  });

  test('a mask that does not fit is a failure of its picture', async () => {
    await mkdir(at('bad'));
    await writeFile(
      at('bad/two.png'),
      await encodePng({ width: 10, height: 10, channels: 1, data: new Uint8Array(100) }),
    );
    const { code, stderr } = await fovea(
      [
        'iassa',
        '--query-path',
        'two.png',
        '--save-path',
        'maps',
        '--gt-path',
        'bad',
        '--quiet',
        ...quick,
      ],
      folder,
    );
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('10×10: expected the size of the picture, 224×224');
    expect(code).toBe(1);
  });

  test('a folder of masks that does not exist is wrong usage', async () => {
    const { code, stderr } = await fovea(
      ['iassa', '--query-path', 'two.png', '--gt-path', 'nowhere', ...quick],
      folder,
    );
    expect(stderr).toMatch(ONE_LINE);
    expect(code).toBe(2);
  });
});

/** Runs a file with Node; `shim` is a module that runs before it. */
const node = (file: string, shim?: string) =>
  new Promise<{ code: unknown; stderr: string }>((resolve) => {
    const imports = shim === undefined ? [] : ['--import', `data:text/javascript,${shim}`];
    execFile(process.execPath, [...imports, file, 'methods'], (error, _, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    );
  });

describe('before anything runs', () => {
  const BIN = fileURLToPath(new URL('../../bin/fovea.js', import.meta.url));

  test.each(['v18.20.8', 'v20.18.3'])('Node %s is refused in one sentence', async (version) => {
    const shim = `Object.defineProperty(process, 'version', { value: '${version}' })`;
    for (const file of [CLI, BIN]) {
      expect(await node(file, encodeURIComponent(shim))).toEqual({
        code: 3,
        stderr:
          `fovea: Fovea needs Node 20.19 or newer, and this is Node ${version}: install a ` +
          'newer one\n',
      });
    }
  });

  test('a checkout without a build says how to build', async () => {
    await mkdir(at('checkout', 'bin'), { recursive: true });
    await copyFile(BIN, at('checkout', 'bin', 'fovea.mjs'));
    expect(await node(at('checkout', 'bin', 'fovea.mjs'))).toEqual({
      code: 3,
      stderr: 'fovea: this checkout is not built: run "npm ci" and "npm run build" in it first\n',
    });
  });

  test('the sample picture of README is explained', async () => {
    const sample = fileURLToPath(new URL('../../examples/teapot.png', import.meta.url));
    const args = ['explain', sample, '--model', 'demo-cnn', '--method', 'grad-cam', '-o', 'sample'];
    const { code, stdout, stderr } = await fovea(args, folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/teapot\.png +grad-cam +teapot +9\d\.\d%/);
  });
});
