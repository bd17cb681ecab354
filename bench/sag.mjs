// @ts-check
/**
 * Compares our structured attention graphs with the authors' code: model calls and seconds on the
 * pictures of the authors' repository. The number of their model calls is recorded. The script
 * measures the time of these calls in PyTorch on this machine, one picture at a time as in their
 * code. These are forward passes of masked pictures, and forward and backward passes for the
 * integrated gradients of their ranking. The measurement needs Python with PyTorch and torchvision.
 * If they are missing, the script prints no times of the authors' code. Other work of their code,
 * such as drawing, is not counted.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count, fromDist, machine, table, time, usage } from './harness.mjs';

const HELP = `node bench/sag.mjs [options]
  --threads N       threads of both runtimes   [1]
  --set JSON        options of sag             [{}]`;

const shared = new URL('../../shared/', import.meta.url);

/** @typedef {import('./harness.mjs').Seconds} Seconds */

/**
 * Seconds for one masked picture through mobilenet_v2 in PyTorch, in a batch of one as in the
 * authors' code: for the forward pass, and for a forward and backward pass to the mask. Returns
 * undefined if Python, PyTorch or torchvision is missing.
 * @returns {{ forward: Seconds, gradient: Seconds } | undefined}
 */
function torchSeconds(/** @type {number} */ threads) {
  const program = `
import json, time, torch, torchvision
torch.set_num_threads(${threads})
model = torchvision.models.mobilenet_v2().eval()
for p in model.parameters(): p.requires_grad = False
up = torch.nn.UpsamplingBilinear2d(size=(224, 224))
x, mask = torch.rand(1, 3, 224, 224), (torch.rand(1, 1, 7, 7) > 0.5).float()
def run(mask):
    m = up(mask)
    return torch.softmax(model(x * m - (1 - m)), 1)[0, 0]
def gradient():
    wanted = mask.clone().requires_grad_()
    run(wanted).backward()
def seconds(task, times):
    for _ in range(3): task()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(times): task()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {'wall': wall / times, 'cpu': cpu / times}
forward = seconds(lambda: run(mask).item(), 30)
print(json.dumps({'forward': forward, 'gradient': seconds(gradient, 10)}))`;
  try {
    return JSON.parse(
      execFileSync('/usr/bin/python3', ['-c', program], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
  } catch {
    return undefined;
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      threads: { type: 'string', default: '1' },
      set: { type: 'string', default: '{}' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  const record = new URL('reference/sag/cases.json', shared);
  if (!existsSync(record))
    usage('the recorded runs are missing: expected ../shared/reference/sag/cases.json');
  const { explain, loadModel, prepareInput, readImage } = await fromDist('node.js');
  const threads = count('threads', values.threads);
  const model = await loadModel(fileURLToPath(new URL('models/mobilenet_v2.onnx', shared)), {
    threads,
  });
  machine(`${model.runtime}, ${threads} thread(s), mobilenet_v2`);
  const rows = [];
  const { parameters, cases } = JSON.parse(readFileSync(record, 'utf8'));
  const gradients = parameters.max_iterations * parameters.integ_iter;
  const theirsIn = (
    /** @type {'wall' | 'cpu'} */ clock,
    /** @type {number} */ calls,
    /** @type {any[]} */ measured,
  ) =>
    measured.every(Boolean)
      ? measured.reduce(
          (sum, torch) =>
            sum +
            (gradients * torch.gradient[clock] + (calls - gradients) * torch.forward[clock]) /
              measured.length,
          0,
        )
      : Number.NaN;
  for (const { case: name, image, category, evaluations_total: theirs } of cases) {
    const prepared = await prepareInput(
      model,
      await readImage(fileURLToPath(new URL(`images/${image}`, shared))),
    );
    const before = torchSeconds(threads);
    /** @type {any} */ let manifest;
    const ours = await time(async () => {
      ({ manifest } = await explain(model, prepared, {
        method: 'sag',
        target: category,
        options: JSON.parse(values.set),
      }));
    });
    const measured = [before, torchSeconds(threads)];
    const [wall, cpu] = [theirsIn('wall', theirs, measured), theirsIn('cpu', theirs, measured)];
    const { explanations, diverse } = manifest.extras.sag;
    rows.push([
      name,
      String(manifest.modelCalls.forward),
      String(theirs),
      ours.wall.toFixed(1),
      wall.toFixed(1),
      (wall / ours.wall).toFixed(1),
      (cpu / ours.cpu).toFixed(1),
      String(explanations.length),
      String(diverse.size),
    ]);
  }
  table(
    [
      'picture',
      'model calls',
      'theirs',
      's',
      'theirs, s',
      'times fewer',
      'in CPU time',
      'found',
      'diverse',
    ],
    rows,
  );
  await model.dispose();
}

await main();
