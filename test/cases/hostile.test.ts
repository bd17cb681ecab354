import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { copyFile, lstat, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { gradientModel } from '../../src/autodiff/index.ts';
import { openDataset } from '../../src/datasets/index.ts';
import { readBoxes } from '../../src/datasets/voc-annotation.ts';
import { FoveaError } from '../../src/errors.ts';
import { loadModel } from '../../src/node/load-model.ts';
import { readBytes } from '../../src/onnx/fixtures/shared-models.ts';
import { readModel } from '../../src/onnx/index.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { visibleText } from '../../src/visible-text.ts';
import { fovea, ONE_LINE } from '../cli/cli.ts';
import { startCaseServer } from './case-server.ts';
import { evaluations, installing } from './hostile-runs.ts';
import { type Case, filesIn, runCommand, temporaryFolder } from './run-command.ts';

const CASES = '../shared/cases';
const MATLAB = '../shared/datasets/imagenet-seg-mini.mat';
const haveCases = existsSync(CASES);
if (!haveCases) console.warn(`no folder ${CASES}: the tests of its cases are skipped`);

/** The error of a call that must fail with a message for its caller. */
async function failureOf(call: () => unknown): Promise<FoveaError> {
  try {
    await call();
  } catch (error) {
    expect(error).toBeInstanceOf(FoveaError);
    expect((error as FoveaError).code).not.toBe('internal');
    return error as FoveaError;
  }
  throw new Error('the call did not fail');
}

/** A text of a command has no control characters but line ends. */
const expectPlain = (text: string): void => {
  expect(text.split('\n').map(visibleText).join('\n')).toBe(text);
};

/** A hub that sends `config.json`, and a response of its own for the model; and a cache for it. */
async function startHub(
  answer: (response: ServerResponse, path: string) => void,
): Promise<{ load(): Promise<unknown>; cacheDir: string; folder: string }> {
  const server = createServer((request, response) => answer(response, request.url ?? ''));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cacheDir = await temporaryFolder();
  const options = { endpoint, cacheDir, file: 'model.onnx', retryDelay: 1 };
  const load = () => loadModel('org/ok', options);
  return { load, cacheDir, folder: join(cacheDir, 'hub/org--ok/main') };
}

const DEMO = new URL('../../src/demo/models/demo-cnn.onnx', import.meta.url);
/** D. Hostile or damaged input. */
const damaged: Readonly<Record<string, Case>> = {
  'npy-header-redos': async (at) => {
    const { code, stderr } = await fovea(['explain', `${at}/header.npy`, '-m', 'demo-cnn'], '.');
    expect(stderr).toMatch(ONE_LINE);
    expect(stderr).toContain('has a .npy header that cannot be understood');
    expect(code).not.toBe(0);
  },
  'onnx-unwired-input-typeerror': async (at) => {
    const { code, stderr } = await runCommand('inspect', `${at}/case-417.onnx`);
    expect(stderr).toMatch(/lacks its input|node/);
    expect(stderr).not.toContain('internal');
    expect(code).toBe(3);
  },
  'onnx-typed-array-message': async (at) => {
    const { code, stderr } = await runCommand('inspect', `${at}/maxvit-dim-1e9.onnx`);
    expect(stderr).toMatch(/too large|at most/);
    expect(stderr).not.toMatch(/typed array/i);
    expect(code).toBe(3);
  },
  'gradientmodel-hang-huge-dim': async (at) => {
    const model = readModel(readBytes(`${at}/averagepool-1d.onnx`));
    const { message } = await failureOf(() => gradientModel(model, { of: 'y', wrt: ['x0'] }));
    expect(message).toContain('is too large to be differentiated');
  },
  'gradientmodel-bigint-typeerror': async (at) => {
    await failureOf(() =>
      gradientModel(readModel(readBytes(`${at}/maxpool.onnx`)), { of: 'y', wrt: ['x0'] }),
    );
  },
  'voc-xml-quadratic': async () => {
    const path = join(await temporaryFolder(), 'a.xml');
    for (const count of [64_000, 116_000]) {
      await writeFile(path, '<object>'.repeat(count));
      await failureOf(() => readBoxes(path));
    }
  },
  'mat-hdf5-noise': async () => {
    const folder = await temporaryFolder();
    const bytes = readFileSync(MATLAB);
    const { length } = await openDataset(`imagenet-segmentation:${MATLAB}`);
    for (let i = bytes.length >> 1; i < bytes.length; i += 1009) bytes[i] = ~(bytes[i] ?? 0);
    writeFileSync(join(folder, 'a.mat'), bytes);
    const data = ['--dataset', 'imagenet-segmentation:a.mat', '--target', 'predicted'];
    const run = ['--methods', 'centre', '--metrics', 'iou', '--out', 'x', '--model', 'demo-cnn'];
    const { stderr } = await fovea(['evaluate', ...data, ...run], folder);
    expect(stderr).not.toContain('HDF5-DIAG');
    const lines = stderr.trimEnd().split('\n');
    for (const line of lines) expect(line).toMatch(/^fovea: /);
    expect(lines.length).toBeLessThanOrEqual(length + 3);
    expect(stderr).toMatch(/picture \d+/);
  },
  'terminal-escapes': async () => {
    const folder = await temporaryFolder();
    const title = '\u001b]0;owned\u0007';
    const { labels } = JSON.parse(readFileSync(`${DEMO.pathname.slice(0, -4)}json`, 'utf8'));
    const hostile = labels.map((label: string) => `${label}${title}\u202e`);
    writeFileSync(join(folder, 'net.json'), JSON.stringify({ labels: hostile }));
    await copyFile(DEMO, join(folder, 'net.onnx'));
    await copyFile(`${CASES}/picture.png`, join(folder, `a${title}.png`));
    const model = ['--model', 'net.onnx'];
    for (const command of [
      ['explain', `a${title}.png`, ...model, '--methods', 'random,centre'],
      ['explain', `a${title}.png`, ...model, '--methods', 'random', '--json'],
      ['explain', `a${title}.png`, ...model, '--target', `${title}x`],
      ['explain', `missing${title}.png`, ...model],
      ['inspect', 'net.onnx'],
      ['explain', `a${title}.png`, '--model', `${title}.onnx`],
      ['explain', `a${title}.png`, ...model, '--methods', title],
      ['evaluate', '--dataset', `image-folder:${title}`, ...model],
    ]) {
      const { stdout, stderr } = await fovea(command, folder);
      expectPlain(stdout);
      expectPlain(stderr);
      expect(stdout + stderr).toMatch(/\\x1b|\\u001b|missing/);
    }
  },
  'external-data-symlink': async (at) => {
    const folder = await temporaryFolder();
    await copyFile(`${at}/ext-dev.onnx`, join(folder, 'net.onnx'));
    symlinkSync('/etc/passwd', join(folder, 'link.bin'));
    const { code, stderr } = await runCommand('inspect', join(folder, 'net.onnx'));
    expect(stderr).toMatch(/link.bin is a link to \/etc\/passwd, outside the model's folder/);
    expect(code).toBe(3);
  },
  'hub-html-cached': async () => {
    for (const broken of ['config.json', 'model.onnx']) {
      const { load, cacheDir } = await startHub((response, path) => {
        if (path.endsWith(broken)) {
          response.setHeader('content-type', broken === 'config.json' ? 'text/html' : 'text/plain');
          response.end('<!DOCTYPE html><html><body>Sign in</body></html>');
        } else if (path.endsWith('.json')) response.end('{}');
        else response.end(readFileSync(DEMO));
      });
      const { code, message } = await failureOf(load);
      expect(code).toBe('download');
      expect(message).toContain('a web page (HTML) came instead');
      expect(await filesIn(cacheDir)).not.toContain(broken);
    }
  },
  'hub-endless-body': async () => {
    let sent = 0;
    const { load, cacheDir } = await startHub((response, path) => {
      if (!path.endsWith('.onnx')) return void response.end('{}');
      response.setHeader('x-linked-size', '1000');
      const block = Buffer.alloc(2 ** 16);
      const push = () => {
        while (sent < 400 * 2 ** 20 && !response.destroyed) {
          sent += block.length;
          if (!response.write(block)) return void response.once('drain', push);
        }
        response.end();
      };
      push();
    });
    const { message } = await failureOf(load);
    expect(message).toContain('more than the 1000 bytes that were stated');
    expect(sent).toBeLessThan(50 * 2 ** 20);
    expect((await filesIn(cacheDir)).filter((name) => name.includes('onnx'))).toEqual([]);
  },
  'hub-part-symlink': async () => {
    const { load, folder, cacheDir } = await startHub((response, path) =>
      response.end(path.endsWith('.json') ? '{}' : readFileSync(DEMO)),
    );
    const victim = join(cacheDir, 'victim');
    await writeFile(victim, 'precious');
    await mkdir(folder, { recursive: true });
    symlinkSync(victim, join(folder, 'model.onnx.part'));
    await load();
    expect(await readFile(victim, 'utf8')).toBe('precious');
    expect((await lstat(join(folder, 'model.onnx'))).isFile()).toBe(true);
  },
};

const SERVER = `${CASES}/remote-huge-body-crash/server.mjs`;
const REQUEST = ['--methods', 'rise', '--set', 'rise.N=64'];

/** `fovea explain p.png` by a model on a server that misbehaves. */
async function explainRemote(address: string) {
  const out = ['--out', await temporaryFolder()];
  const picture = `${CASES}/remote-huge-body-crash/p.png`;
  return runCommand('explain', picture, '--model', address, ...REQUEST, ...out);
}

/** E. Remote models. */
const remote: Readonly<Record<string, Case>> = {
  'remote-no-retry': async () => {
    const server = await startCaseServer(SERVER);
    for (const mode of ['500-once', '503-once', '429-once']) {
      const finished = await explainRemote(server.model(mode));
      expect(finished, finished.stderr).toMatchObject({ code: 0 });
    }
  },
  'remote-huge-body-crash': async () => {
    const server = await startCaseServer(SERVER);
    const { code, stderr } = await explainRemote(server.model('huge'));
    expect(stderr).toMatch(/sent more than 67108864 bytes, which is refused/);
    expect(code).not.toBe(0);
  },
  'remote-null-scores': async () => {
    const server = await startCaseServer(SERVER);
    const shape = /\[\d+,[-\d]+\] with \d+ values for \d+ pictures?: expected scores/;
    for (const [mode, message] of [
      ['null', /values that are not numbers/],
      ['all-null', /values that are not numbers/],
      ['emptystr', /values that are not numbers/],
      ['bools', /values that are not numbers/],
      ['shape-lies', shape],
      ['shape-absurd', shape],
      ['nan', /returned NaN or infinite scores/],
    ] as const) {
      const { code, stderr } = await explainRemote(server.model(mode));
      expect(stderr, mode).toMatch(message);
      expect(code, mode).not.toBe(0);
    }
  },
  'remote-redirect-leaks-header': async () => {
    const server = await startCaseServer(SERVER);
    const options = {
      headers: { 'x-api-key': 'SECRET2' },
      preprocessing: { size: [16, 16] as const },
    };
    const picture = tensor([1, 3, 16, 16]);
    const model = await loadModel(server.model('redirect-infer'), options);
    expect((await failureOf(() => model.classify(picture))).message).toContain('redirects to');
    await failureOf(() => loadModel(server.model('redirect-all'), options));
    expect(server.requests().filter(({ server: name }) => name === 'other')).toEqual([]);
    expect(server.requests().some(({ key }) => key === 'SECRET2')).toBe(true);
  },
  'remote-internal-errors': async () => {
    const server = await startCaseServer(SERVER);
    for (const mode of ['deep', 'meta-huge', 'meta-redirect-file']) {
      const { code, stderr } = await explainRemote(server.model(mode));
      expect(stderr).not.toContain('internal');
      expect(code).not.toBe(0);
      if (mode === 'meta-redirect-file') expect(stderr).toContain('redirects to file://');
    }
    const model = await loadModel(server.model('hang'), { timeout: 300 });
    const { message } = await failureOf(() => model.classify(tensor([1, 3, 16, 16])));
    expect(message).toContain('did not respond within 0.3 s');
  },
};

const ELSEWHERE = [
  'iassa-occlusion-spread-overflow',
  'kernel-shap-nan-few-samples',
  'batch-size-not-byte-identical',
];

describe.skipIf(!haveCases)('each recorded case (needs ../shared)', () => {
  it.each([
    ['D', damaged],
    ['E', remote],
    ['F', evaluations],
    ['G', installing],
  ] as const)('of group %s is here', (letter, cases) => {
    const sections = readFileSync(`${CASES}/README.md`, 'utf8').split(/^## /m);
    const section = sections.find((text) => text.startsWith(`${letter}. `)) ?? '';
    const names = [...section.matchAll(/^- `(.+)`$/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(Object.keys(cases)).toEqual(names.filter((name) => !ELSEWHERE.includes(name)));
  });

  it.each(Object.entries({ ...damaged, ...remote, ...evaluations, ...installing }))(
    '%s',
    (name, test) => test(`${CASES}/${name}`),
    300_000,
  );
});
