import { type ExecFileException, execFile } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/node/write-image.ts';
import { VERSION } from '../../src/version.ts';
import { ROOT } from '../browser/modules.ts';

/**
 * A user's project, with npm's registry and without a way to the server of the CUDA files, which
 * onnxruntime-node fetches on Linux x64 when it is installed.
 */
let folder: string;

/** The environment of a user: nothing of what npm tells its scripts about this checkout. */
const USER = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|ONNXRUNTIME_)/i.test(name)),
);
const NO_CUDA = { GLOBAL_AGENT_HTTPS_PROXY: 'http://127.0.0.1:9' };
const MINUTES = 60_000;

interface Finished {
  readonly code: number;
  readonly output: string;
}

function run(file: string, args: readonly string[], env = {}, cwd = folder): Promise<Finished> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...USER, ...env }, maxBuffer: 2 ** 26 };
    execFile(file, [...args], options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, output: stdout + stderr }),
    );
  });
}

const npmInstall = (names: readonly string[], env: Record<string, string>) =>
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...names], env);

/**
 * Schema libraries of the user, at versions that are not Fovea's: a minor version of valibot, which
 * Fovea uses, and two major versions of zod.
 */
const SCHEMA_LIBRARIES = ['valibot@1.0.0', 'zod@4.1.0', 'zod3@npm:zod@3.25.76'];

const explain = () =>
  run(join(folder, 'node_modules/.bin/fovea'), [
    ...['explain', 'white.png', '--model', 'demo-cnn', '--method', 'grad-cam'],
  ]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fovea-install-'));
  const to = ['--pack-destination', folder];
  await run('npm', ['pack', '--ignore-scripts', '--silent', ...to], {}, ROOT);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const white = { width: 8, height: 8, data: new Uint8Array(192).fill(255) };
  writeFileSync(join(folder, 'white.png'), await encodePng(white));
  writeFileSync(join(folder, 'list.txt'), 'white.png\n');
  cpSync(join(ROOT, 'test/package/project'), folder, { recursive: true });
  cpSync(join(ROOT, 'test/types/methods.ts'), join(folder, 'methods.ts'));
  const installed = await npmInstall([`./fovea-${VERSION}.tgz`, ...SCHEMA_LIBRARIES], NO_CUDA);
  expect(installed.code, installed.output).toBe(0);
}, 5 * MINUTES);

afterAll(() => rm(folder, { recursive: true, force: true }));

it(
  'installs without the CUDA files and runs; says how to be faster',
  async () => {
    const native = existsSync(join(folder, 'node_modules/onnxruntime-node'));
    const { code, output } = await explain();
    expect(code, output).toBe(0);
    expect(existsSync(join(folder, 'fovea-results/white.grad-cam.png'))).toBe(true);
    if (!native) expect(output).toMatch(/in WebAssembly.*npm install onnxruntime-node@/);
  },
  2 * MINUTES,
);

it(
  'runs native code after the command that it names, still without the CUDA files',
  async () => {
    const { optionalDependencies } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    ) as { optionalDependencies: Record<string, string> };
    const name = `onnxruntime-node@${optionalDependencies['onnxruntime-node']}`;
    const installed = await npmInstall([name], { ...NO_CUDA, ONNXRUNTIME_NODE_INSTALL: 'skip' });
    expect(installed.code, installed.output).toBe(0);
    const files = readdirSync(join(folder, 'node_modules/onnxruntime-node'), { recursive: true });
    expect(files.filter((file) => String(file).includes('providers_cuda'))).toEqual([]);
    const { code, output } = await explain();
    expect(code, output).toBe(0);
    expect(output).not.toContain('WebAssembly');
  },
  5 * MINUTES,
);

/** Pixels in the frame of `wide` pixels of a picture of side 224. */
const framed = (wide: number): number => 224 ** 2 - (224 - 2 * wide) ** 2;

describe('a plugin of a project outside the repository', () => {
  it(
    'runs through the library',
    async () => {
      const { code, output } = await run(process.execPath, ['program.mjs']);
      expect(code, output).toBe(0);
      const json: unknown = JSON.parse(output.slice(output.indexOf('{"size"')));
      const share = (count: number) => expect.closeTo(count / 224 ** 2, 12);
      expect(json).toEqual({
        size: [224, 224],
        sums: [framed(2), framed(1), framed(1)],
        targets: [0, 1],
        isSame: true,
        isPlainZero: false,
        isStopped: true,
        scores: [
          { problems: [], pictures: 1, values: [share(framed(1))] },
          {
            problems: [],
            pictures: 1,
            values: [share(framed(1)), expect.any(Number), 1, 1],
          },
        ],
      });
    },
    2 * MINUTES,
  );

  const own = ['--model', 'demo-cnn', '--plugin', './mine.js'];
  const fovea = (args: readonly string[]) => run(join(folder, 'node_modules/.bin/fovea'), args);
  const jsonLines = (output: string) =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line): unknown => JSON.parse(line));

  it(
    'runs through the command line',
    async () => {
      const maps = await fovea([
        ...['explain', 'white.png', ...own, '--methods', 'mine', '--set', 'mine.wide=2'],
        ...['--colormap', 'mine', '--out', 'maps', '--json'],
      ]);
      expect(maps.code, maps.output).toBe(0);
      const manifest: unknown = JSON.parse(
        readFileSync(join(folder, 'maps/white.mine.json'), 'utf8'),
      );
      expect(manifest).toMatchObject({ method: 'mine', options: { wide: 2 } });
      const rules = await fovea([
        ...['explain', 'white.png', ...own, '--methods', 'gradient', '--out', 'maps'],
        ...['--set', 'rules=mine-stop', '-t', '0'],
      ]);
      expect(rules.output).toContain('has the same value everywhere');
      const scores = await fovea([
        ...['evaluate', ...own, '--dataset', 'mine:list.txt', '--data', 'label=apple'],
        ...['--methods', 'mine', '--set', 'mine.above=0.25', '--metrics', 'mine'],
        ...['--out', 'scores', '--json'],
      ]);
      expect(scores.code, scores.output).toBe(0);
      expect(jsonLines(scores.output)).toContainEqual(
        expect.objectContaining({
          kind: 'score',
          method: 'mine',
          value: framed(1) / 224 ** 2,
          options: { above: 0.25 },
        }),
      );
    },
    3 * MINUTES,
  );

  it.each([
    ['methods', 'wide: any', 'A frame'],
    ['metrics', 'above: number, default 0.5', 'Share of the picture'],
    ['datasets', 'label: text, default "teapot"', 'A list of pictures'],
  ])(
    'is listed and described by fovea %s',
    async (command, option, title) => {
      const list = await fovea([command, '--plugin', './mine.js']);
      expect(list.output).toContain(title);
      const one = await fovea([command, 'mine', '--plugin', './mine.js']);
      expect(one.output).toContain(option);
    },
    2 * MINUTES,
  );

  it.each([
    ['nodenext', 'nodenext', []],
    ['esnext', 'bundler', ['--skipLibCheck']],
  ])(
    'has its types checked with module %s and resolution %s',
    async (module, resolution, more) => {
      const { code, output } = await run(process.execPath, [
        join(ROOT, 'node_modules/typescript/bin/tsc'),
        ...['--noEmit', '--strict', '--target', 'es2023', '--ignoreConfig', ...more],
        ...['--module', module, '--moduleResolution', resolution, 'types.ts', 'methods.ts'],
      ]);
      expect({ code, output }).toEqual({ code: 0, output: '' });
    },
    5 * MINUTES,
  );
});
