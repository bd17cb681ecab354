// @ts-check
/**
 * Measures the cost of gradients: the time of the forward and backward pass to the input, over the
 * time of the forward pass alone and over PyTorch's forward and backward pass of the same network.
 * Every figure is a ratio of two measurements from one run.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count, fromDist, machine, ratioText, spread, startPeer, table, time } from './harness.mjs';

const HELP = `node bench/autodiff.mjs [NETWORK…] [options]
  NETWORK…          networks of torchvision, by name   [resnet50 mobilenet_v2 vit_b_16]
  --batch N         pictures per batch                 [8]
  --threads N       threads of each runtime            [1]
  --repetitions N   runs of each task                  [5]
Set the environment variable PYTHON to use a Python other than /usr/bin/python3.`;

const SCRIPT = fileURLToPath(new URL('./autodiff-peer.py', import.meta.url));
const PYTHON = process.env.PYTHON ?? '/usr/bin/python3';

async function measure(
  /** @type {string} */ network,
  /** @type {{ batch: number, threads: number, repetitions: number }} */ setting,
  /** @type {string} */ folder,
) {
  const [{ readModel, modelChunks, writeModel }, { gradientModel }, { createNodeRuntime }] =
    await Promise.all([
      fromDist('onnx/index.js'),
      fromDist('autodiff/index.js'),
      fromDist('runtime/onnxruntime-node.js'),
    ]);
  const path = join(folder, `${network}.onnx`);
  execFileSync(PYTHON, [SCRIPT, 'export', network, path], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const bytes = new Uint8Array(readFileSync(path));
  rmSync(path);
  const started = performance.now();
  const gradient = gradientModel(readModel(bytes), { of: 'logits', wrt: ['input'] });
  modelChunks(gradient.model);
  const emitted = performance.now() - started;
  const runtime = await createNodeRuntime({ threads: setting.threads });
  const [forward, backward] = [
    await runtime.createSession(bytes),
    await runtime.createSession(writeModel(gradient.model)),
  ];
  const { batch } = setting;
  const input = {
    type: 'float32',
    shape: [batch, 3, 224, 224],
    data: Float32Array.from({ length: batch * 3 * 224 * 224 }, (_, i) => Math.sin(i)),
  };
  const cotangent = {
    type: 'float32',
    shape: [batch, 1000],
    data: new Float32Array(batch * 1000).map((_, i) => Number(i % 1000 === 0)),
  };
  const peer = startPeer(PYTHON, SCRIPT, [network, String(setting.threads), String(batch)]);
  const version = (await peer.answer()).torch;
  const tasks = {
    forward: () => time(() => forward.run({ input })),
    gradient: () => time(() => backward.run({ input, [gradient.cotangent]: cotangent })),
    torch: () => peer.run(),
  };
  /** @type {Record<string, import('./harness.mjs').Seconds>[]} */
  const rounds = [];
  try {
    for (let i = 0; i <= setting.repetitions; i++) {
      const round = {
        forward: await tasks.forward(),
        gradient: await tasks.gradient(),
        torch: await tasks.torch(),
      };
      if (i > 0) rounds.push(round); // the first round only warms up
    }
  } finally {
    peer.end();
    await forward.release();
    await backward.release();
  }
  const ratio = (/** @type {string} */ over, /** @type {string} */ under) =>
    ratioText(spread(rounds.map((round) => round[over].cpu / round[under].cpu)));
  const milliseconds = (/** @type {string} */ name) =>
    (1000 * spread(rounds.map((round) => round[name].cpu)).median).toFixed(0);
  return {
    version,
    runtime: runtime.name,
    cells: [
      network,
      milliseconds('forward'),
      milliseconds('gradient'),
      milliseconds('torch'),
      ratio('gradient', 'forward'),
      ratio('torch', 'gradient'),
      emitted.toFixed(0),
    ],
  };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      batch: { type: 'string', default: '8' },
      threads: { type: 'string', default: '1' },
      repetitions: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  try {
    execFileSync(PYTHON, ['-c', 'import torch, torchvision, onnx'], { stdio: 'ignore' });
  } catch {
    return console.log(
      'Skipped: found no Python with PyTorch, torchvision and onnx (Debian: python3-torch ' +
        'python3-torchvision python3-onnx).',
    );
  }
  const setting = {
    batch: count('batch', values.batch),
    threads: count('threads', values.threads),
    repetitions: count('repetitions', values.repetitions),
  };
  const folder = mkdtempSync(join(tmpdir(), 'fovea-autodiff-'));
  try {
    const results = [];
    for (const network of positionals.length > 0
      ? positionals
      : ['resnet50', 'mobilenet_v2', 'vit_b_16']) {
      results.push(await measure(network, setting, folder));
      process.stderr.write(`${results[results.length - 1].cells.join('  ')}\n`);
    }
    machine(
      `${results[0].runtime} and PyTorch ${results[0].version}, ` +
        `${setting.threads} thread(s) each, batch ${setting.batch}, CPU milliseconds`,
    );
    table(
      [
        'network',
        'forward',
        'gradient',
        'PyTorch',
        'gradient over forward',
        'PyTorch over gradient',
        'emitted in ms',
      ],
      results.map(({ cells }) => cells),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
