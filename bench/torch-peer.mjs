// @ts-check
/**
 * Compares Fovea with PyTorch. Both use the same network (torchvision's mobilenet_v2, seeded
 * weights), the same masks of RISE and the same number of threads. The script prints Fovea's time
 * divided by PyTorch's time for the same number of masked pictures. PyTorch gets ready masks at
 * full size. Fovea gets grids and upsamples them in its graph.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  count,
  demoInput,
  fromDist,
  machine,
  ratioText,
  spread,
  startPeer,
  table,
  time,
} from './harness.mjs';

const HELP = `node bench/torch-peer.mjs [options]
  --masks N         masked pictures             [256]
  --batch N         pictures per batch          [32]
  --threads N       threads of each side        [1]
  --repetitions N   runs of each side           [5]
Set the environment variable PYTHON to use a Python other than python3 or /usr/bin/python3.`;

const SCRIPT = fileURLToPath(new URL('./torch-peer.py', import.meta.url));

/** The first Python that has NumPy, PyTorch, torchvision and onnx, or undefined. */
function findPython() {
  for (const python of [process.env.PYTHON, 'python3', '/usr/bin/python3']) {
    if (!python) continue;
    try {
      execFileSync(python, ['-c', 'import numpy, torch, torchvision, onnx'], { stdio: 'ignore' });
      return python;
    } catch {} // this Python is missing or lacks a package
  }
  return undefined;
}

/** Fovea's side: the model, and a run over all masks. */
async function ownSide(/** @type {string} */ path, /** @type {any} */ { masks, batch, threads }) {
  const [{ createNodeRuntime, createOnnxModel, resolveModel }, { createRandom, tensor }, rise] =
    await Promise.all(['node.js', 'tensor/index.js', 'methods/rise.js'].map(fromDist));
  // A smaller memory budget would split batches.
  const source = { ...(await resolveModel(path)), memoryBudget: 2 ** 40 };
  const model = await createOnnxModel(source, await createNodeRuntime({ threads }));
  const input = await demoInput(model);
  const [, channels, height, width] = input.shape;
  const perturbation = rise.riseMasks(masks, 7, 0.5, height, width, createRandom(1));
  const request = {
    input,
    baseline: tensor([1, channels, 1, 1]),
    perturbation,
    targets: [0],
    score: 'logit',
    batchSize: batch,
  };
  return { model, input, perturbation, run: () => model.perturb(request) };
}

async function compareWith(
  /** @type {string} */ python,
  /** @type {any} */ setting,
  /** @type {string} */ folder,
) {
  const [{ encodeNpy, tensor }, { renderGrid }] = await Promise.all([
    fromDist('tensor/index.js'),
    fromDist('model/render-perturbation.js'),
  ]);
  const path = join(folder, 'mobilenet_v2.onnx');
  execFileSync(python, [SCRIPT, 'export', path], { stdio: ['ignore', 'ignore', 'inherit'] });
  const { model, input, perturbation, run } = await ownSide(path, setting);
  const [height, width] = input.shape.slice(2);
  const masks = tensor([setting.masks, height, width]);
  for (let n = 0; n < setting.masks; n++)
    masks.data.set(renderGrid(perturbation, n, height, width), n * height * width);
  const files = { input: join(folder, 'input.npy'), masks: join(folder, 'masks.npy') };
  writeFileSync(files.input, encodeNpy(input));
  writeFileSync(files.masks, encodeNpy(masks));
  const peer = startPeer(python, SCRIPT, [
    String(setting.threads),
    String(setting.batch),
    files.input,
    files.masks,
  ]);
  try {
    const { torch, logits } = await peer.answer();
    const { data } = await run();
    const range = Math.max(...logits) - Math.min(...logits);
    const difference =
      Math.max(
        ...logits.map((/** @type {number} */ value, /** @type {number} */ i) =>
          Math.abs(value - data[i]),
        ),
      ) / range;
    machine(`${model.runtime} and PyTorch ${torch}, ${setting.threads} thread(s) each`);
    /**
     * @type {{ own: import('./harness.mjs').Seconds, theirs: import('./harness.mjs').Seconds }[]}
     */
    const pairs = [];
    for (let i = 0; i < setting.repetitions; i++)
      pairs.push({ own: await time(run), theirs: await peer.run() });
    const column = (/** @type {'wall' | 'cpu'} */ kind) => [
      spread(pairs.map(({ own }) => own[kind])).median.toFixed(2),
      spread(pairs.map(({ theirs }) => theirs[kind])).median.toFixed(2),
      ratioText(spread(pairs.map(({ own, theirs }) => own[kind] / theirs[kind]))),
    ];
    table(
      [
        `${setting.masks} masked pictures, batches of ${setting.batch}`,
        'Fovea s',
        'PyTorch s',
        'Fovea over PyTorch',
      ],
      [
        ['wall', ...column('wall')],
        ['CPU', ...column('cpu')],
      ],
    );
    console.log(`\nLargest difference of a logit: ${difference.toExponential(1)} of their range.`);
  } finally {
    peer.end();
    await model.dispose();
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      masks: { type: 'string', default: '256' },
      batch: { type: 'string', default: '32' },
      threads: { type: 'string', default: '1' },
      repetitions: { type: 'string', default: '5' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  const python = findPython();
  if (!python)
    return console.log(
      'Skipped: found no Python with PyTorch, torchvision and onnx (Debian: python3-torch ' +
        'python3-torchvision python3-onnx).',
    );
  const setting = {
    masks: count('masks', values.masks),
    batch: count('batch', values.batch),
    threads: count('threads', values.threads),
    repetitions: count('repetitions', values.repetitions),
  };
  const folder = mkdtempSync(join(tmpdir(), 'fovea-torch-peer-'));
  try {
    await compareWith(python, setting, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
