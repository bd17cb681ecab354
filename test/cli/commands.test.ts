import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { methods } from '../../src/methods/index.ts';
import { encodePng } from '../../src/node/write-image.ts';
import { VERSION } from '../../src/version.ts';
import { folderOfScenes, fovea, ONE_LINE, records } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one', 'two']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const at = (...parts: string[]) => join(folder, ...parts);

describe('help', () => {
  test('--version', async () => {
    expect(await fovea(['--version'], folder)).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  });

  test.each([[[]], [['explain']], [['iassa']], [['methods']], [['inspect']]])('%j --help', async (command: string[]) => {
    const { code, stdout, stderr } = await fovea([...command, '--help'], folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: fovea ${command.join('')}`.trimEnd());
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(88);
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
    for (const { name, title, paper } of methods.values()) {
      expect(stdout).toContain(`${name} `);
      expect(stdout).toContain(title);
      expect(stdout.replace(/\s+/g, ' ')).toContain(paper);
    }
  });

  test('--json', async () => {
    const listed = JSON.parse((await fovea(['methods', '--json'], folder)).stdout) as Record<string, unknown>[];
    expect(listed.map(({ name }) => name)).toEqual([...methods.keys()]);
    expect(Object.keys(listed[0])).toEqual(['name', 'title', 'family', 'needs', 'signed', 'cost', 'paper', 'options']);
  });

  test('one method with its options', async () => {
    const { stdout } = await fovea(['methods', 'occlusion'], folder);
    expect(stdout).toContain('--set occlusion.NAME=VALUE');
    expect(stdout).toMatch(/stride: .*default/);
    expect(JSON.parse((await fovea(['methods', 'occlusion', '--json'], folder)).stdout)).toMatchObject({ name: 'occlusion', signed: true });
  });
});

describe('inspect', () => {
  test('says what the model is', async () => {
    const { code, stdout, stderr } = await fovea(['inspect', 'demo-cnn'], folder);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const text of ['fingerprint', '224', '32: airplane', 'opset', 'Conv', 'Feature maps']) expect(stdout).toContain(text);
  });

  test('--json', async () => {
    const described = JSON.parse((await fovea(['inspect', 'demo-cnn', '--json'], folder)).stdout) as Record<string, unknown>;
    expect(described).toMatchObject({
      name: 'demo-cnn',
      classes: 32,
      output: 'logits',
      operators: { Conv: expect.any(Number) },
      opset: { 'ai.onnx': expect.any(Number) },
    });
  });
});

describe('iassa', () => {
  const quick = ['--set', 'window=60', '--set', 'stride=60', '--set', 'iterations=1'];

  beforeAll(async () => {
    await mkdir(at('gt'));
    const mask = (left: number) => ({
      width: 224,
      height: 224,
      channels: 1 as const,
      data: Uint8Array.from({ length: 224 * 224 }, (_, i) => (i % 224 >= left && i % 224 < left + 60 ? 255 : 0)),
    });
    await writeFile(at('gt/one_0.png'), await encodePng(mask(20)));
    await writeFile(at('gt/one_1.png'), await encodePng(mask(120)));
  });

  test('maps for all, measures where there is a mask', async () => {
    const { code, stdout, stderr } = await fovea(['iassa', '--query-path', '*.png', '--save-path', 'maps/', '--gt-path', 'gt', ...quick], folder);
    expect(stderr).toBe('fovea: 1 of 2 pictures have no mask in gt: they are not measured\n');
    expect(stdout).toMatch(/measure +image level +pixel level/);
    expect(stdout).toContain('1 picture with a mask.');
    expect(code).toBe(0);
  });

  test('--json: the scores are part of the record, the averages come last', async () => {
    const { stdout } = await fovea(['iassa', '--query-path', 'one.png', 'two.png', '--save-path', 'maps/', '--gt-path', 'gt', '--json', ...quick], folder);
    const [one, two, summary] = records(stdout);
    const names = ['deletion', 'insertion', 'f1', 'iou', 'pointing-game'];
    expect(Object.keys(one.scores as object)).toEqual(names);
    expect(two).not.toHaveProperty('scores');
    expect(summary).toMatchObject({ summary: { pictures: 1, imageLevel: one.scores } });
  });

  test('a mask that does not fit is a failure of its picture', async () => {
    await mkdir(at('bad'));
    await writeFile(at('bad/two.png'), await encodePng({ width: 10, height: 10, channels: 1, data: new Uint8Array(100) }));
    const { code, stderr } = await fovea(['iassa', '--query-path', 'two.png', '--save-path', 'maps', '--gt-path', 'bad', '--quiet', ...quick], folder);
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('10×10: expected the size of the picture, 224×224');
    expect(code).toBe(1);
  });

  test('a folder of masks that is not there is wrong usage', async () => {
    const { code, stderr } = await fovea(['iassa', '--query-path', 'two.png', '--gt-path', 'nowhere', ...quick], folder);
    expect(stderr).toMatch(ONE_LINE);
    expect(code).toBe(2);
  });
});
