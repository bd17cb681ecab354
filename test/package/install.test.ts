import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

const npmInstall = (name: string, env: Record<string, string>) =>
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', name], env);

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
  const installed = await npmInstall(`./fovea-${VERSION}.tgz`, NO_CUDA);
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
    const installed = await npmInstall(name, { ...NO_CUDA, ONNXRUNTIME_NODE_INSTALL: 'skip' });
    expect(installed.code, installed.output).toBe(0);
    const files = readdirSync(join(folder, 'node_modules/onnxruntime-node'), { recursive: true });
    expect(files.filter((file) => String(file).includes('providers_cuda'))).toEqual([]);
    const { code, output } = await explain();
    expect(code, output).toBe(0);
    expect(output).not.toContain('WebAssembly');
  },
  5 * MINUTES,
);
