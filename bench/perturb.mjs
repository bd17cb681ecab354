// @ts-check
/**
 * Measures the cost of perturbing. The result is the time of `model.perturb`, divided by the time
 * of the pure forward pass of the same number of ready pictures. It is measured for each
 * perturbation and several batch sizes. The target is 1.10 for mobilenet_v2.
 */
import { parseArgs } from 'node:util';
import {
  compare,
  count,
  defaultModel,
  demoInput,
  forwardPass,
  fromDist,
  machine,
  ratioText,
  table,
  usage,
} from './harness.mjs';

const HELP = `node bench/perturb.mjs [options]
  --model PATH      an ONNX file with an open batch dimension   [../shared/models/mobilenet_v2.onnx]
  --batches A,B     batch sizes                                 [8,16,32]
  --kinds A,B       some of classify,windows,grids,ranks,masks  [all]
  --threads N       threads of the runtime                      [1]
  --repetitions N   runs of every measurement                   [9]`;

/** Perturbations of `size` pictures, as the methods make them. */
async function perturbations(
  /** @type {number} */ size,
  /** @type {number} */ height,
  /** @type {number} */ width,
) {
  const [{ createRandom, tensor }, { riseMasks }] = await Promise.all([
    fromDist('tensor/index.js'),
    fromDist('methods/rise.js'),
  ]);
  const random = createRandom(1);
  const windows = new Int32Array(4 * size);
  const bounds = new Int32Array(2 * size);
  for (let i = 0; i < size; i++) {
    const [top, left] = [random.integer(height - 44), random.integer(width - 44)];
    windows.set([top, left, top + 45, left + 45], 4 * i);
    bounds.set([0, Math.round((height * width * (i + 1)) / size)], 2 * i);
  }
  const ranks = Int32Array.from({ length: height * width }, (_, i) => i);
  for (let i = ranks.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [ranks[i], ranks[j]] = [ranks[j], ranks[i]];
  }
  const masks = Float32Array.from({ length: size * height * width }, () => random.uniform());
  return {
    windows: { kind: 'windows', windows, keep: 'outside' },
    grids: riseMasks(size, 7, 0.5, height, width, random),
    ranks: { kind: 'ranks', ranks, bounds },
    masks: { kind: 'masks', masks: tensor([size, height, width], masks) },
  };
}

/** The rows of the table for one batch size. */
async function measure(/** @type {any} */ setting, /** @type {number} */ size) {
  const { runtime, bytes, model, input, kinds, repetitions } = setting;
  const { tensor } = await fromDist('node.js');
  const forward = await forwardPass(runtime, bytes, input, size);
  if (!forward)
    usage(
      `the model does not take batches of ${size}: expected a float32 input with an open batch ` +
        `dimension`,
    );
  const [, channels, height, width] = input.shape;
  const batch = tensor(
    [size, ...input.shape.slice(1)],
    Float32Array.from(
      { length: size * input.data.length },
      (_, i) => input.data[i % input.data.length],
    ),
  );
  const baseline = tensor([1, channels, 1, 1]);
  /** @type {Record<string, () => Promise<unknown>>} */
  const tasks = { classify: () => model.classify(batch, { batchSize: size }) };
  for (const [kind, perturbation] of Object.entries(await perturbations(size, height, width))) {
    tasks[kind] = () =>
      model.perturb({ input, baseline, perturbation, targets: [0], batchSize: size });
  }
  const chosen = Object.fromEntries(Object.entries(tasks).filter(([kind]) => kinds.includes(kind)));
  const rows = await compare(forward, chosen, repetitions);
  return rows.map(({ name, wall, cpu, seconds }) => [
    name === 'reference' ? 'forward pass' : name,
    String(size),
    ((1000 * seconds.wall) / size).toFixed(2),
    ((1000 * seconds.cpu) / size).toFixed(2),
    name === 'reference' ? '1' : ratioText(wall),
    name === 'reference' ? '1' : ratioText(cpu),
  ]);
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: defaultModel },
      batches: { type: 'string', default: '8,16,32' },
      kinds: { type: 'string', default: 'classify,windows,grids,ranks,masks' },
      threads: { type: 'string', default: '1' },
      repetitions: { type: 'string', default: '9' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  const { createNodeRuntime, createOnnxModel, resolveModel } = await fromDist('node.js');
  const threads = count('threads', values.threads);
  const runtime = await createNodeRuntime({ threads });
  const source = await resolveModel(values.model);
  // A smaller memory budget would split batches.
  const model = await createOnnxModel({ ...source, memoryBudget: 2 ** 40 }, runtime);
  const input = await demoInput(model);
  machine(`${runtime.name}, ${threads} thread(s), ${model.name}`);
  const setting = {
    runtime,
    bytes: source.bytes,
    model,
    input,
    kinds: values.kinds.split(','),
    repetitions: count('repetitions', values.repetitions),
  };
  const rows = [];
  for (const size of values.batches.split(','))
    rows.push(...(await measure(setting, count('batches', size))));
  table(['', 'batch', 'ms per picture', 'CPU ms', 'over the forward pass', 'in CPU time'], rows);
  await model.dispose();
}

await main();
