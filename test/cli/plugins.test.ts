import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { csv } from '../../examples/plugins/dataset.js';
import { meanWindow } from '../../examples/plugins/method.js';
import { offCenter } from '../../examples/plugins/metric.js';
import { explain } from '../../src/explain.ts';
import { createFunctionModel } from '../../src/model/function-model.ts';
import { IMAGENET_PREPROCESSING } from '../../src/model/input/preprocessing.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { folderOfScenes, fovea, ONE_LINE, records } from './cli.ts';

/** The path of an example of the how-to pages. */
const example = (name: string): string =>
  fileURLToPath(new URL(`../../examples/plugins/${name}.js`, import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one']);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const CNN = ['--model', 'demo-cnn'];

describe('the method of the how-to page', () => {
  test('of a linear score: w (x - mean) summed over the window', async () => {
    const weights = [0.001, 0.002, 0.004, 0.008];
    const score = (red: Float32Array) =>
      red.reduce((sum, value, p) => sum + value * (weights[p] ?? 0), 0);
    const model = createFunctionModel({
      name: 'linear',
      labels: ['sum', 'other'],
      preprocessing: { ...IMAGENET_PREPROCESSING, size: [2, 2] },
      output: 'probabilities',
      classify: async ({ shape: [count = 0], data }) => {
        const scores = Array.from({ length: count }, (_, n) =>
          score(data.subarray(12 * n, 12 * n + 4)),
        );
        return tensor([count, 2], Float32Array.from(scores.flatMap((s) => [s, 1 - s])));
      },
    });
    const input = tensor([1, 3, 2, 2], Float32Array.from([1, 3, 10, 20, 0, 0, 0, 0, 0, 0, 0, 0]));
    const { map } = await explain(model, input, {
      method: meanWindow,
      options: { side: 2 },
      target: 0,
    });
    // 0.207 for the picture, 0.1275 for its mean 8.5 everywhere.
    for (const value of map.data) expect(value).toBeCloseTo(0.207 - 0.1275, 6);
  });

  test('by the command line', async () => {
    const args = ['explain', 'one.png', ...CNN, '--plugin', example('method'), '--out', 'm'];
    const { code, stdout, stderr } = await fovea(
      [...args, '--methods', 'mean-window,random', '--set', 'mean-window.side=112', '--json'],
      folder,
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(records(stdout).map(({ method }) => method)).toEqual(['mean-window', 'random']);
    const manifest = JSON.parse(await readFile(join(folder, 'm/one.mean-window.json'), 'utf8'));
    expect(manifest).toMatchObject({ options: { side: 112 }, modelCalls: { forward: 5 } });
  });

  test('is listed and described', async () => {
    const { stdout } = await fovea(
      ['methods', 'mean-window', '--plugin', example('method')],
      folder,
    );
    expect(stdout).toContain('side: integer from 1, default 56');
  });
});

test('the metric: one pixel in the corner of 2×2 is half way to the corner', async () => {
  const { value } = await offCenter.score({
    map: tensor([2, 2], Float32Array.from([-3, 0, 0, 0])),
  });
  expect(value).toBeCloseTo(0.5, 12);
  const even = await offCenter.score({ map: tensor([2, 2], new Float32Array(4).fill(2)) });
  expect(even.value).toBeCloseTo(0, 12);
});

test('metric and data set by the command line', async () => {
  await writeFile(join(folder, 'labels.csv'), 'one.png,teapot\n');
  const { code, stdout, stderr } = await fovea(
    [
      'evaluate',
      ...CNN,
      ...['--plugin', example('metric'), '--plugin', example('dataset')],
      ...['--dataset', 'csv:labels.csv', '--metrics', 'off-center', '--methods', 'random'],
      ...['--out', 'scores', '--json'],
    ],
    folder,
  );
  expect(stderr).not.toContain('internal');
  expect(code).toBe(0);
  expect(stdout).toContain('"metric":"off-center"');
});

test('the data set reads pictures and labels', async () => {
  const path = join(folder, 'labels.csv');
  await writeFile(path, 'one.png,teapot\n');
  const dataset = await csv.open(path, { header: false });
  expect(dataset.length).toBe(1);
  const sample = await dataset.read(0);
  expect(sample.label).toEqual({ name: 'teapot' });
  expect(sample.image).toMatchObject({ width: 224, height: 224 });
});

test('values of --data reach the reader in the types of its options', async () => {
  await writeFile(join(folder, 'headed.csv'), 'file,label\none.png,teapot\n');
  const { code, stderr } = await fovea(
    [
      ...['evaluate', ...CNN, '--plugin', example('dataset'), '--dataset', 'csv:headed.csv'],
      ...['--data', 'header=true', '--methods', 'random', '--metrics', 'sparseness'],
      ...['--out', 'headed', '--json'],
    ],
    folder,
  );
  expect({ code, stderr }).toMatchObject({ code: 0 });
  const summary = JSON.parse(await readFile(join(folder, 'headed/summary.json'), 'utf8'));
  expect(summary).toMatchObject({
    pictures: 1,
    settings: { dataset: { options: { header: true } } },
  });
});

test('backward rules and a color map by the command line', async () => {
  const { code, stdout, stderr } = await fovea(
    [
      'explain',
      'one.png',
      ...CNN,
      ...['--plugin', example('backward-rules'), '--plugin', example('colormap')],
      ...['--methods', 'gradient', '--set', 'rules=half-relu', '--colormap', 'night'],
      ...['--out', 'rules'],
    ],
    folder,
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('Model: demo-cnn');
  const manifest = JSON.parse(await readFile(join(folder, 'rules/one.gradient.json'), 'utf8'));
  expect(manifest.options.rules).toBe('half-relu');
});

/** A method and a metric that write a line to stderr each time that their options are parsed. */
const COUNTING = `
const options = (what) => ({
  '~standard': {
    version: 1,
    vendor: 'counting',
    validate: (value) => {
      process.stderr.write('parsed ' + what + '\\n');
      return { value };
    },
  },
});
const method = {
  name: 'flat', title: 'Flat', family: 'perturbation', paper: 'none', needs: ['black-box'],
  signed: false, cost: '0', options: options('flat'),
  explain: async ({ targets, input: { shape: [, , height, width] } }) =>
    targets.map(() => {
      const data = Float32Array.from({ length: height * width }, (_, i) => i);
      return { map: { shape: [height, width], data } };
    }),
};
const metric = {
  name: 'zero', title: 'Zero', direction: 'higher', range: [0, 1], paper: 'none', needs: [],
  level: 'mean', presets: {}, options: options('zero'),
  score: async () => ({ value: 0, preset: 'custom', options: {} }),
  scoreWith: async () => ({ value: 0 }),
};
export default { methods: [method], metrics: [metric] };
`;

test('options are parsed once, by explain and by evaluate', async () => {
  await writeFile(join(folder, 'counting.mjs'), COUNTING);
  const shared = [...CNN, '--plugin', 'counting.mjs', '--methods', 'flat', '--quiet'];
  const explained = await fovea(['explain', 'one.png', ...shared, '--out', 'flat'], folder);
  expect(explained).toMatchObject({ code: 0, stderr: 'parsed flat\n' });
  const data = ['--dataset', 'demo-scenes', '--limit', '2', '--metrics', 'zero'];
  const scored = await fovea(['evaluate', ...data, ...shared, '--out', 'zero'], folder);
  expect(scored).toMatchObject({ code: 0, stderr: 'parsed flat\nparsed zero\n' });
});

describe('a plugin that is wrong: one sentence, exit code 2', () => {
  let bad: string;
  beforeAll(async () => {
    bad = await mkdtemp(join(tmpdir(), 'fovea-plugin-'));
  });
  afterAll(() => rm(bad, { recursive: true, force: true }));

  test.each([
    [undefined, /the plugin bad\.mjs does not exist: expected the path/],
    ['throw new Error("no luck")', /the plugin bad\.mjs cannot be loaded: no luck/],
    ['export const x = 1;', /exports no plugin: expected export default definePlugin/],
    ['export default 3;', /is not a plugin: expected an object with methods, metrics/],
    ['export default { method: [] };', /has "method": expected an object with methods/],
    ['export default { methods: {} };', /has methods that are not a list/],
    ['export default { methods: [{ name: "a" }] };', /methods\[0\], which is not a method/],
    [
      'export default { colormaps: [{ name: "jet", color: () => "#000000" }] };',
      /there is already a color map "jet": rename yours/,
    ],
  ])('%s', async (text, message) => {
    await rm(join(bad, 'bad.mjs'), { force: true });
    if (text !== undefined) await writeFile(join(bad, 'bad.mjs'), text);
    const { code, stderr } = await fovea(['methods', '--plugin', 'bad.mjs'], bad);
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
