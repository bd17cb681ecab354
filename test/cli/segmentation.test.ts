import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { folderOfScenes, fovea } from './cli.ts';

const DEMO = fileURLToPath(new URL('../../src/demo/models/demo-cnn', import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one']);
  await copyFile(`${DEMO}.onnx`, join(folder, 'cropping.onnx'));
  const { labels, input } = JSON.parse(await readFile(`${DEMO}.json`, 'utf8'));
  await writeFile(
    join(folder, 'cropping.json'),
    JSON.stringify({ labels, input: { ...input, resize: 'crop', shorterSide: 256 } }),
  );
  // The object is the rim that a crop would cut off.
  const annotations = [
    { image_id: 1, category_id: 1, segmentation: [[0, 0, 12, 0, 12, 224, 0, 224]], iscrowd: 0 },
  ];
  const images = [{ id: 1, file_name: 'one.png', width: 224, height: 224 }];
  await writeFile(
    join(folder, 'instances.json'),
    JSON.stringify({ images, annotations, categories: [{ id: 1, name: 'kettle' }] }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function summaryOf(out: string, more: readonly string[]) {
  const args = [
    'segmentation',
    '--dataset',
    'coco:instances.json',
    '--model',
    'cropping.onnx',
    '--methods',
    'centre',
    '--out',
    out,
    ...more,
  ];
  expect(await fovea(args, folder)).toMatchObject({ code: 0 });
  return JSON.parse(await readFile(join(folder, out, 'summary.json'), 'utf8'));
}

test('pictures are stretched, also for a model that crops, and the report says so', async () => {
  const { settings, table } = await summaryOf('stretched', []);
  expect(settings.model.preprocessing.resize).toBe('stretch');
  expect(settings.dataset.protocol.slice(-2)).toEqual([
    'Pictures and masks are stretched to the input of the model, as in the published scripts, ' +
      'even if its own preprocessing crops.',
    'Pictures are normalized as the model expects; the published script for COCO does not ' +
      'normalize them.',
  ]);
  expect(table[0]).toMatchObject({ metric: 'pixel-accuracy', count: 1 });
});

test('unless resize is given', async () => {
  const { settings, table } = await summaryOf('cropped', ['--preprocess', 'resize=crop']);
  expect(settings.model.preprocessing.resize).toBe('crop');
  expect(settings.dataset.protocol.join(' ')).toContain('resized as requested');
  expect(table[0]).toMatchObject({ metric: 'pixel-accuracy', count: 0, excluded: 1 });
});

test('assumptions about a model without preprocessing are reported as always', async () => {
  await copyFile(`${DEMO}.onnx`, join(folder, 'bare.onnx'));
  const args = [
    'segmentation',
    '--dataset',
    'coco:instances.json',
    '--model',
    'bare.onnx',
    '--methods',
    'centre',
    '--out',
    'bare',
  ];
  const { stderr } = await fovea(args, folder);
  expect(stderr).toContain('no mean and std are given beside the model');
});
