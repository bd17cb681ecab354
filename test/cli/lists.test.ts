import { tmpdir } from 'node:os';
import { describe, expect, test } from 'vitest';
import { datasetReaders } from '../../src/datasets/index.ts';
import { metrics } from '../../src/metrics/index.ts';
import { fovea } from './cli.ts';

const run = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await fovea(args, tmpdir());
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
};

describe('metrics', () => {
  test('lists every metric with what it needs', async () => {
    const stdout = await run('metrics');
    const lines = stdout.split('\n');
    for (const { name, title } of metrics)
      expect(lines.some((line) => line.startsWith(`${name} `) && line.endsWith(title))).toBe(true);
    expect(stdout).toMatch(/^deletion +.*\n +lower is better · needs the model$/m);
    expect(stdout).toMatch(/^iou +.*\n +higher is better · needs a mask of the object$/m);
    const listed = JSON.parse(await run('metrics', '--json')) as { name: string }[];
    expect(listed.map(({ name }) => name)).toEqual(metrics.names);
  });

  test('describes one with its protocols and options', async () => {
    const stdout = await run('metrics', 'f1');
    expect(stdout).toContain('asked for as --metrics f1:PROTOCOL; the first is the default');
    for (const preset of Object.keys(metrics.get('f1').presets)) expect(stdout).toContain(preset);
    expect(stdout).toMatch(/Options, given as --set f1\.NAME=VALUE:\n\n +threshold: .*default /);
  });
});

describe('datasets', () => {
  test('lists every kind of data set as it is given', async () => {
    const stdout = await run('datasets');
    for (const { title } of datasetReaders) expect(stdout).toContain(title);
    expect(stdout).toContain('--dataset coco:PATH');
    expect(stdout).toMatch(/--dataset demo-scenes\n +it needs no path/);
    const listed = JSON.parse(await run('datasets', '--json')) as { name: string }[];
    expect(listed.map(({ name }) => name)).toEqual(datasetReaders.names);
  });

  test('describes one with its options', async () => {
    const stdout = await run('datasets', 'voc');
    expect(stdout).toMatch(/given as +--dataset voc:PATH/);
    expect(stdout).toMatch(/Options, given as --data NAME=VALUE:\n\n +set: text/);
  });
});
