// @ts-check
/**
 * Structured attention graphs: model calls and seconds on the pictures of the authors' repository, beside what their code
 * needs. Its model calls are recorded; its seconds are those calls, one picture a batch as it makes them, in PyTorch on this
 * machine (needs Python with PyTorch and torchvision; left out without).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { count, fromDist, machine, table, usage } from './harness.mjs';

const HELP = `node bench/sag.mjs [options]
  --threads N       threads of both runtimes   [1]
  --set JSON        options of sag             [{}]`;

const shared = new URL('../../shared/', import.meta.url);

/** Seconds of a picture through mobilenet_v2 in PyTorch, masked and alone in its batch, as the authors' code has it. */
function torchSeconds(/** @type {number} */ threads) {
  const program = `
import time, torch, torchvision
torch.set_num_threads(${threads})
model = torchvision.models.mobilenet_v2().eval()
up = torch.nn.UpsamplingBilinear2d(size=(224, 224))
x, mask = torch.rand(1, 3, 224, 224), (torch.rand(1, 1, 7, 7) > 0.5).float()
def run():
    with torch.no_grad():
        m = up(mask)
        return torch.softmax(model(x * m - (1 - m)), 1)[0, 0].item()
for _ in range(5): run()
start = time.perf_counter()
for _ in range(40): run()
print((time.perf_counter() - start) / 40)`;
  try {
    return Number(execFileSync('/usr/bin/python3', ['-c', program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    return undefined;
  }
}

async function main() {
  const { values } = parseArgs({
    options: { threads: { type: 'string', default: '1' }, set: { type: 'string', default: '{}' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) return console.log(HELP);
  const record = new URL('reference/sag/cases.json', shared);
  if (!existsSync(record)) usage('the recorded runs are not at hand: expected ../shared/reference/sag/cases.json');
  const { explain, loadModel, prepareInput, readImage } = await fromDist('src/node.js');
  const threads = count('threads', values.threads);
  const model = await loadModel(fileURLToPath(new URL('models/mobilenet_v2.onnx', shared)), { threads });
  machine(`${model.runtime}, ${threads} thread(s), mobilenet_v2`);
  const rows = [];
  for (const { case: name, image, category, evaluations_total: theirs } of JSON.parse(readFileSync(record, 'utf8')).cases) {
    const prepared = await prepareInput(model, await readImage(fileURLToPath(new URL(`images/${image}`, shared))));
    const before = torchSeconds(threads);
    const { manifest, seconds } = await explain(model, prepared, { method: 'sag', target: category, options: JSON.parse(values.set) });
    const after = torchSeconds(threads);
    const { explanations, diverse } = manifest.extras.sag;
    const expected = before && after ? (theirs * (before + after)) / 2 : undefined;
    rows.push([
      name,
      String(manifest.modelCalls.forward),
      String(theirs),
      seconds.toFixed(1),
      expected?.toFixed(1) ?? '–',
      expected ? (expected / seconds).toFixed(1) : '–',
      String(explanations.length),
      String(diverse.size),
    ]);
  }
  table(['picture', 'model calls', 'theirs', 's', 'theirs, s', 'times fewer', 'found', 'diverse'], rows);
  await model.dispose();
}

await main();
