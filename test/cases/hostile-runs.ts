import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { formatTable } from '../../src/cli/table.ts';
import { CLI, fovea, start } from '../cli/cli.ts';
import { type Case, filesIn, runCommand, temporaryFolder } from './run-command.ts';

const EVALUATE = ['evaluate', '--dataset', 'demo-scenes', '--model', 'demo-cnn'];
const QUICK = ['--methods', 'grad-cam,gradient', '--metrics', 'iou,f1'];
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

/** A finished folder of results. */
async function finishedFolder(): Promise<{
  folder: string;
  resume(): ReturnType<typeof runCommand>;
}> {
  const folder = await temporaryFolder();
  const args = [...EVALUATE, ...QUICK, '--limit', '2', '--out', folder];
  expect(await runCommand(...args)).toMatchObject({ code: 0 });
  return { folder, resume: () => runCommand(...args, '--resume') };
}

/** F. Evaluations and results; the others of the group are in cases.test.ts. */
export const evaluations: Readonly<Record<string, Case>> = {
  'evaluate-needs-h5wasm': async () => {
    const out = await temporaryFolder();
    const args = [...EVALUATE, '--limit', '2', '--methods', 'grad-cam', '--metrics', 'iou'];
    const script = 'ulimit -v 8000000 && exec "$@"';
    const command = ['-c', script, 'sh', process.execPath, CLI, ...args, '--out', `${out}/x`];
    const { status, stderr } = spawnSync('sh', command, { encoding: 'utf8' });
    expect(stderr).not.toContain('h5wasm');
    expect(status, stderr).toBe(0);
  },
  'shards-same-pid': async () => {
    const { folder } = await finishedFolder();
    const settings = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    const url = new URL('../../dist/evaluate/resume.js', import.meta.url).href;
    const script = `
      const { claimFolder } = await import(${JSON.stringify(url)});
      const settings = ${JSON.stringify(settings)};
      for (let i = 0; i < 200; i++) await claimFolder(${JSON.stringify(folder)}, settings, true, true);`;
    const inPod = ['-rpf', '--mount-proc', process.execPath, '--input-type=module', '-e', script];
    const probe = spawnSync('unshare', ['-rpf', '--mount-proc', 'true']);
    if (probe.status !== 0) return console.warn('no process namespaces can be made here: skipped');
    const all = `${'unshare "$@" & '.repeat(3)}wait -n && wait -n && wait -n`;
    execFileSync('bash', ['-c', all, 'bash', ...inPod]);
    expect(JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'))).toEqual(settings);
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  },
  'resume-while-running-doubles': async () => {
    const folder = await temporaryFolder();
    const args = [...EVALUATE, ...QUICK, '--limit', '30', '--out', 'two'];
    const first = start(args, folder);
    const path = join(folder, 'two/scores.jsonl');
    while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 20));
    const second = await fovea([...args, '--resume'], folder);
    expect(second.stderr).toContain('another evaluation is writing to two');
    expect(second.code).toBe(2);
    expect((await first.finished).code).toBe(0);
    const keys = linesOf(path).map((line) => {
      const { kind, item, method, metric } = JSON.parse(line);
      return [kind, item, method, metric].join();
    });
    expect(new Set(keys).size).toBe(keys.length);
  },
  'scores-without-value': async () => {
    const { folder, resume } = await finishedFolder();
    const path = join(folder, 'scores.jsonl');
    const whole = linesOf(path);
    const at = whole.findIndex((line) => line.includes('"metric":"iou"'));
    const { value, ...rest } = JSON.parse(whole[at] ?? '{}');
    for (const damaged of [rest, { ...rest, value: String(value) }, { kind: 'map' }]) {
      writeFileSync(path, `${whole.with(at, JSON.stringify(damaged)).join('\n')}\n`);
      const { code, stderr } = await resume();
      expect(stderr).toMatch(new RegExp(`line ${at + 1} is not a score .*the file is damaged`));
      expect(code).toBe(2);
    }
    writeFileSync(path, `${whole.join('\n')}\n`);
    const [map = ''] = (await filesIn(folder)).filter((name) => name.endsWith('.npy'));
    const bytes = readFileSync(join(folder, 'explanations', map));
    const broken = Buffer.from(bytes);
    broken.writeFloatLE(Number.NaN, bytes.length - 4);
    writeFileSync(join(folder, 'explanations', map), broken);
    const asked = [...EVALUATE, '--methods', 'grad-cam,gradient', '--metrics', 'iou,f1,sparseness'];
    const again = await runCommand(...asked, '--limit', '2', '--out', folder, '--resume');
    expect(again, again.stderr).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'explanations', map))).toEqual(bytes);
  },
  'run-json-valid-but-empty': async () => {
    const { folder, resume } = await finishedFolder();
    for (const text of ['{}', 'null', '[]', '3', '{"model":{}}', '{"fovea":"0.1.0"']) {
      writeFileSync(join(folder, 'run.json'), text);
      const { code, stderr } = await resume();
      expect(stderr).toContain('run.json is damaged');
      expect(code).toBe(2);
    }
  },
  'format-table-quadratic': async () => {
    const rows = Array.from({ length: 125_000 }, (_, i) => [`picture ${i}`, i]);
    const lines = formatTable(['a', 'b'], rows).split('\n');
    expect(lines).toHaveLength(125_002);
    expect(lines.at(-1)).toBe('picture 124999  124999');
  },
};

/** G. Installing. `test/package/install.test.ts` packs, installs and runs without the download. */
export const installing: Readonly<Record<string, Case>> = {
  'consumer-install-fetches-cuda': async () => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect(Object.keys(optionalDependencies)).toContain('onnxruntime-node');
    expect(Object.keys(dependencies)).not.toContain('onnxruntime-node');
    expect(Object.keys(dependencies)).toContain('onnxruntime-web');
  },
};
