import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readImageSize } from '../../src/node/read-image.ts';
import { folderOfScenes, fovea, ONE_LINE, records } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one', 'two']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const QUICK_SAG = [
  '-m',
  'demo-cnn',
  '--set',
  'grid=4',
  '--set',
  'maxRoots=1',
  '--set',
  'restarts=0',
];

test('fovea sag writes graphs and statistics of a folder, and resumes', async () => {
  const first = await fovea(['sag', 'one.png', ...QUICK_SAG, '--out', 'graphs'], folder);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect((await readdir(join(folder, 'graphs'))).sort()).toEqual([
    ...[
      'one.sag.dot',
      'one.sag.graph.png',
      'one.sag.json',
      'one.sag.npy',
      'one.sag.png',
      'one.sag.svg',
    ],
    'sag-statistics.json',
  ]);
  expect((await readImageSize(join(folder, 'graphs/one.sag.graph.png'))).width).toBeGreaterThan(
    400,
  );
  expect(await readFile(join(folder, 'graphs/one.sag.svg'), 'utf8')).toMatch(
    /^<svg .*data:image\/jpeg;base64/s,
  );
  const { extras } = JSON.parse(await readFile(join(folder, 'graphs/one.sag.json'), 'utf8'));
  expect(extras.sag.version).toBe(1);
  const statistics = JSON.parse(await readFile(join(folder, 'graphs/sag-statistics.json'), 'utf8'));
  expect(statistics.smallest).toEqual({ 'one.png': extras.sag.explanations[0].patches });
  expect(first.stdout).toMatch(/sets +smallest +drawn +calls +seconds\n/);
  expect(first.stdout).toContain('Drawings: graphs/NAME.sag.graph.png');
  expect(Math.max(...first.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(first.stdout).toContain('Model: demo-cnn');

  const all = await fovea(
    ['sag', '.', ...QUICK_SAG, '--out', 'graphs', '--resume', '--json'],
    folder,
  );
  expect(all.code).toBe(0);
  const lines = records(all.stdout) as {
    image?: string;
    kept?: true;
    smallest?: number[];
    statistics?: { pictures: number };
  }[];
  expect(lines.map(({ image, kept }) => [image, kept])).toEqual([
    ['one.png', true],
    ['two.png', undefined],
    [undefined, undefined],
  ]);
  expect(lines[2]?.statistics?.pictures).toBe(2);
  expect(lines[0]?.smallest).toEqual(extras.sag.explanations[0].patches);

  const other = await fovea(
    ['sag', 'one.png', ...QUICK_SAG, '--set', 'threshold=0.8', '--out', 'graphs', '--resume'],
    folder,
  );
  expect(other).toMatchObject({ code: 0, stderr: '' });
});

test('fovea alternates varies the salient region and reports the accuracy', async () => {
  const args = [
    'alternates',
    'one.png',
    '-m',
    'demo-cnn',
    '--methods',
    'occlusion',
    '--set',
    'window=56',
    '--set',
    'stride=56',
    '--shares',
    '50,90',
    '--candidates',
    '4',
  ];
  const { code, stdout } = await fovea([...args, '--out', 'alt', '--json'], folder);
  expect(code).toBe(0);
  const [result, summary] = records(stdout) as {
    accuracy: { share: number; candidates: number; accuracy: number }[];
  }[];
  expect(result.accuracy.map(({ share, candidates }) => [share, candidates])).toEqual([
    [0.5, 4],
    [0.9, 4],
  ]);
  expect(summary.accuracy).toEqual(result.accuracy);
  expect((await readImageSize(join(folder, 'alt/one.alternates.png'))).width).toBeGreaterThan(300);
  const list = JSON.parse(await readFile(join(folder, 'alt/one.alternates.json'), 'utf8'));
  for (const { stays, winner } of list.variations) {
    expect(stays).toBe(winner.label === 'teapot');
  }
});

test('both commands report a mistake in one sentence', async () => {
  for (const args of [
    ['sag', 'one.png', '--target', 'top:3'],
    ['sag', 'one.png', '--target', '3', '--target', '4'],
    ['alternates', 'one.png', '--shares', '120'],
    ['alternates', 'one.png', '--inpaint', 'none.onnx'],
    ['sag', 'one.png', '-m', 'demo-cnn', '--set', 'ranking=nothing', '--out', 'x'],
  ]) {
    const { code, stderr } = await fovea(args, folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(ONE_LINE);
  }
});
