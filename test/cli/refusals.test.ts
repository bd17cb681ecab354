import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { graphBuilder, modelOf, writeModel } from '../../src/onnx/index.ts';
import { folderOfScenes, fovea, ONE_LINE, records } from './cli.ts';

/** A classifier of 32 × 32 pixels whose scores have no gradient: Sign comes after its Conv. */
function signNetwork(): Uint8Array {
  const b = graphBuilder({ opset: 17, name: 'sign' });
  const wave = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7));
  const x = b.input('x', 'float32', ['batch', 3, 32, 32]);
  const weights = b.constant(wave(4 * 3 * 16), [4, 3, 4, 4], 'float32', 'conv.weight');
  const conv = b.add('Conv', [x, weights], { kernel_shape: [4, 4], strides: [4, 4] }, 'conv');
  const pool = b.add('GlobalAveragePool', [b.add('Sign', [conv], {}, 'sign')], {}, 'pool');
  const flat = b.add('Flatten', [pool], {}, 'flat');
  const fc = b.constant(wave(20), [5, 4], 'float32', 'fc.weight');
  b.output(b.add('Gemm', [flat, fc], { transB: 1 }, 'logits'), 'float32', ['batch', 5]);
  return writeModel(modelOf(b.finish()));
}

let folder: string;
beforeAll(async () => {
  folder = await folderOfScenes(['one']);
  await writeFile(join(folder, 'sign.onnx'), signNetwork());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a model without gradients', () => {
  const explain = (methods: string) => [
    ...['explain', 'one.png', '-m', 'sign.onnx', '--preprocess', 'size=32', 'mean=0.5', 'std=0.5'],
    ...['--labels', 'labels.txt', '--methods', methods, '--out', 'maps', '--json'],
  ];
  beforeAll(() => writeFile(join(folder, 'labels.txt'), 'a\nb\nc\nd\ne\n'));

  test('the refusal of one method never stops the others; exit code 1', async () => {
    const args = [
      ...explain('gradient,random,gradient-x-input,occlusion'),
      '--set',
      'occlusion.window=16',
    ];
    const { code, stdout, stderr } = await fovea(args, folder);
    expect(records(stdout).map(({ method }) => method)).toEqual(['random', 'occlusion']);
    expect(stderr).toMatch(/one\.png, gradient: .*Sign/);
    expect(stderr).toMatch(/one\.png, gradient-x-input: .*Sign/);
    expect(stderr.trim().split('\n')).toHaveLength(2);
    expect(code).toBe(1);
  });

  test('if no method runs, the exit code is 3', async () => {
    const { code, stdout, stderr } = await fovea(explain('gradient'), folder);
    expect(stderr).toMatch(ONE_LINE);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  });

  test('fovea methods --model says which methods run, and why the others do not', async () => {
    const args = ['methods', '-m', 'sign.onnx', '--preprocess', 'size=32'];
    const { code, stdout } = await fovea(args, folder);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+ of \d+ methods run on sign\.\n/);
    expect(stdout).toMatch(/^occlusion +yes +black-box/m);
    expect(stdout).toMatch(/^gradient +no +gradients +–$/m);
    const why = stdout.slice(stdout.indexOf('Why the others do not:'));
    expect(why).toMatch(/^gradient +.*Sign/ms);
    expect(why).toMatch(/^attention-rollout +/m);
    const one = await fovea([...args.slice(0, 1), 'gradient', ...args.slice(1), '--json'], folder);
    expect(JSON.parse(one.stdout)).toMatchObject({
      model: 'sign',
      methods: [{ name: 'gradient', runs: false, reason: expect.stringContaining('Sign') }],
    });
  });
});
