import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { folderOfScenes, fovea, ONE_LINE } from './cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one']);
  const labels = Array.from({ length: 32 }, (_, i) => `thing ${i}`);
  const named = { 5: 'tank, army tank, panzer', 7: 'crane', 9: 'crane', 11: 'great white shark' };
  await writeFile(join(folder, 'labels.txt'), Object.values({ ...labels, ...named }).join('\n'));
  const { default: sharp } = await import('sharp');
  await sharp(join(folder, 'one.png')).toFile(join(folder, 'one.jpg'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a command that must end with one sentence and no result. */
async function refusal(args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await fovea(args, folder);
  expect(stdout).toBe('');
  expect(stderr).toMatch(ONE_LINE);
  expect(stderr).not.toMatch(/Invalid input|internal/);
  expect(await readdir(join(folder, 'none')).catch(() => [])).toEqual([]);
  return { code, stderr };
}

describe('explain: one sentence that says what was expected', () => {
  const quick = ['--method', 'random', '--out', 'none'];
  const own = ['-m', 'demo-cnn', '--labels', 'labels.txt', ...quick];
  const cnn = ['-m', 'demo-cnn', ...quick];

  test.each([
    [[...own, '-t', 'tnak'], 2, 'is not a class of demo-cnn: did you mean "tank" (class 5)?'],
    [[...own, '-t', 'crane'], 2, 'names 2 classes of demo-cnn (7 "crane", 9 "crane"): give the'],
    [[...own, '-t', 'whale shark'], 2, 'similar labels are 11 "great white shark"; expected top1'],
    [[...cnn, '--preprocess', 'mean=a'], 2, 'preprocessing.mean = "a": expected list of numbers'],
    [[...cnn, '--preprocess', 'size=0'], 2, '| integer from 1 to 16384'],
    [[...cnn, '--preprocess', 'sise=5'], 2, 'preprocessing has no option "sise": did you mean "si'],
    [[...cnn, '--preprocess', 'size'], 2, '--preprocess "size": expected NAME=VALUE'],
    [[...cnn, '--set', 'random N=3'], 2, '--set "random N=3": expected OPTION=VALUE'],
    [[...cnn, '--colormap', 'virdis'], 2, 'unknown color map "virdis": did you mean "viridis"?'],
    [[...cnn, '--device', 'cdua'], 2, '"cdua": did you mean "cuda"? expected one of cpu, webgpu'],
    [[...quick, '-m', 'one.jpg'], 3, 'one.jpg: not an ONNX model but a JPEG picture'],
    [[...quick, '-m', 'demo-cn'], 3, 'there is no model "demo-cn": did you mean "demo-cnn"?'],
    [
      [...quick, '-m', 'https://127.0.0.1/m.onnx'],
      2,
      'is a model file on a web server: download it',
    ],
    [['-m', 'demo-cnn', '--method', 'gradcam'], 2, 'did you mean "grad-cam"?'],
    [
      ['-m', 'demo-cnn', '--method', 'rise', '--set', 'n=3'],
      2,
      'has no option "n": did you mean "N"?',
    ],
  ])('%j', async (args, exitCode, message) => {
    const { code, stderr } = await refusal(['explain', 'one.png', ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(exitCode);
  });

  test('the address of a picture', async () => {
    const { code, stderr } = await refusal(['explain', 'https://127.0.0.1/cat.jpg', ...cnn]);
    expect(stderr).toContain('cat.jpg is an address: download the picture and give its path');
    expect(code).toBe(3);
  });

  test('a device that is not there: what to do, for a user and not for this checkout', async () => {
    const { code, stderr } = await fovea(
      ['explain', 'one.png', ...cnn, '--device', 'cuda'],
      folder,
    );
    if (code === 0) return; // a machine with CUDA
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toMatch(/the device cuda (is not available|does not start)/);
    expect(stderr).not.toContain('.npmrc');
    expect(code).toBe(3);
  });
});

describe('other commands', () => {
  const nowhere = ['-m', 'none.onnx', '--dataset', 'objects:none'];
  const scenes = ['evaluate', '-m', 'demo-cnn', '--dataset', 'demo-scenes', '--limit', '1'];

  test.each([
    [['help', 'foo'], "unknown command 'foo'"],
    [['help', 'explane'], "unknown command 'explane' (Did you mean explain?)"],
    [['methods', 'gradcam'], 'unknown method "gradcam": did you mean "grad-cam"?'],
    [['metrics', 'delation'], 'unknown metric "delation": did you mean "deletion"?'],
    [['datasets', 'coc'], 'unknown data set "coc": did you mean "coco"?'],
    [['evaluate', '--dataset', 'demo-scene'], 'did you mean "demo-scenes"?'],
    [[...scenes, '--metrics', 'delation'], 'unknown metric "delation": did you mean "deletion"?'],
    [[...scenes, '--metrics', 'f1:chefer-2021-row'], 'did you mean "chefer-2021-rows"?'],
    [[...scenes, '--metrics', 'iou', '--set', 'iou.treshold=1'], 'did you mean "threshold"?'],
    [[...scenes, '--metrics', 'iou', '--set', 'random.x=1'], 'random has no option "x"'],
    [[...scenes, '--data', 'sed=1'], 'demo-scenes has no option "sed": did you mean "seed"?'],
    // names are looked up before the model is loaded, and before the data set is read
    [['evaluate', ...nowhere, '--methods', 'gradcam'], 'did you mean "grad-cam"?'],
    [['evaluate', ...nowhere, '--metrics', 'delation'], 'did you mean "deletion"?'],
    [['evaluate', ...nowhere, '--metrics', 'f1:nobody'], 'f1 has no protocol "nobody"'],
    [['evaluate', ...nowhere, '--set', 'rise.n=3'], 'did you mean "N"?'],
    [['evaluate', '-m', 'none.onnx', '--dataset', 'coc:x'], 'did you mean "coco"?'],
    [['segmentation', '-m', 'none.onnx', '--dataset', 'vocc:x'], 'did you mean "voc"?'],
    [['sag', 'one.png', '--set', 'grid=0'], 'sag.grid = 0: expected integer from 2 to 32'],
  ])('%j', async (args, message) => {
    const { code, stderr } = await refusal([...args, ...(args.length > 4 ? ['-o', 'none'] : [])]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
