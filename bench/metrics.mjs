// @ts-check
/**
 * Measures what a metric costs beyond its model calls. The result is the time of one score, divided
 * by the time of the pure forward pass of the same number of pictures at the same batch size. The
 * forward pass is measured before and after each score. The target is at most 1.15 for deletion and
 * insertion.
 */
import { parseArgs } from 'node:util';
import {
  count,
  defaultModel,
  demoInput,
  forwardPass,
  fromDist,
  machine,
  ratioText,
  spread,
  table,
  time,
  usage,
} from './harness.mjs';

const HELP = `node bench/metrics.mjs [options]
  --model PATH      an ONNX file with an open batch dimension [../shared/models/mobilenet_v2.onnx]
  --metrics A,B     which metrics, with their default options
                    [deletion,insertion,positive-perturbation,mu-fidelity,infidelity,road,sic]
  --batch N         pictures per session call                       [8]
  --threads N       threads of the runtime                          [1]
  --repetitions N   scores of each metric                           [3]
  --forward N       pictures per measurement of the forward pass    [128]`;

/** The model, with a counter of the pictures that it has classified. */
function counted(/** @type {any} */ model) {
  const calls = { pictures: 0 };
  const classify = (/** @type {any} */ batch, /** @type {any} */ options) => {
    calls.pictures += batch.shape[0];
    return model.classify(batch, options);
  };
  const perturb = async (/** @type {any} */ request) => {
    const scores = await model.perturb(request);
    calls.pictures += scores.shape[0];
    return scores;
  };
  return { model: { ...model, classify, perturb }, calls };
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: defaultModel },
      metrics: {
        type: 'string',
        default: 'deletion,insertion,positive-perturbation,mu-fidelity,infidelity,road,sic',
      },
      batch: { type: 'string', default: '8' },
      threads: { type: 'string', default: '1' },
      repetitions: { type: 'string', default: '3' },
      forward: { type: 'string', default: '128' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  const { createNodeRuntime, explain, loadModel, losslessWebpSize, resolveModel } =
    await fromDist('node.js');
  const { metrics } = await fromDist('metrics/index.js');
  const [threads, batchSize, repetitions] = [
    count('threads', values.threads),
    count('batch', values.batch),
    count('repetitions', values.repetitions),
  ];
  const loaded = await loadModel(values.model, { threads });
  const { model, calls } = counted(loaded);
  const input = await demoInput(loaded);
  const { map, target } = await explain(loaded, input, {
    method: 'occlusion',
    options: { window: 56, stride: 28 },
  });
  const runtime = await createNodeRuntime({ threads });
  machine(`${runtime.name}, ${threads} thread(s), ${values.model.split(/[\\/]/).at(-1)}`);
  const forward = await forwardPass(
    runtime,
    (await resolveModel(values.model)).bytes,
    input,
    batchSize,
  );
  if (!forward)
    usage(
      `the model does not take batches of ${batchSize}: expected a float32 input with an open ` +
        `batch dimension`,
    );
  const batches = Math.ceil(count('forward', values.forward) / batchSize);
  const pure = async () => {
    const { wall, cpu } = await time(async () => {
      for (let i = 0; i < batches; i++) await forward();
    });
    return { wall: wall / (batches * batchSize), cpu: cpu / (batches * batchSize) };
  };
  await pure();
  const rows = [];
  for (const name of values.metrics.split(',')) {
    const metric = metrics.get(name);
    const score = () =>
      metric.score({
        model,
        input,
        target,
        map,
        batchSize,
        losslessSize: losslessWebpSize,
        options: name === 'sic' ? { leastScore: 0 } : {},
      });
    await score(); // opens the session
    /** @type {{ wall: number[], cpu: number[], seconds: number[] }} */
    const measured = { wall: [], cpu: [], seconds: [] };
    for (let i = 0; i < repetitions; i++) {
      const before = await pure();
      calls.pictures = 0;
      const own = await time(score);
      const after = await pure();
      measured.wall.push((2 * own.wall) / calls.pictures / (before.wall + after.wall));
      measured.cpu.push((2 * own.cpu) / calls.pictures / (before.cpu + after.cpu));
      measured.seconds.push(own.wall);
    }
    rows.push([
      name,
      String(calls.pictures),
      spread(measured.seconds).median.toFixed(2),
      ratioText(spread(measured.wall)),
      ratioText(spread(measured.cpu)),
    ]);
  }
  table(
    [
      `batches of ${batchSize}`,
      'model calls',
      's per score',
      'over the forward pass',
      'in CPU time',
    ],
    rows,
  );
  await loaded.dispose();
}

await main();
