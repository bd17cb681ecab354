// @ts-check
/**
 * Measures what a method costs beyond its model calls. The result is the time of IASSA and RISE for
 * 1,000 model calls, divided by the time of the pure forward pass at the same batch size. The
 * forward pass is measured before and after each run. The script also measures the peak memory of a
 * process that only loads the model and explains one picture. The target is below 700 MB for IASSA
 * on mobilenet_v2 with default options.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  count,
  defaultModel,
  demoInput,
  demoPicture,
  forwardPass,
  fromDist,
  machine,
  ratioText,
  spread,
  table,
  time,
  usage,
} from './harness.mjs';

const HELP = `node bench/methods.mjs [options]
  --model PATH      an ONNX file with an open batch dimension [../shared/models/mobilenet_v2.onnx]
  --methods A,B     some of iassa,rise,oise, with default options    [iassa,rise]
  --masks N         N of sampling methods when measuring speed     [1000]
  --threads N       threads of the runtime                        [1]
  --repetitions N   runs of each method when measuring speed      [3]
  --forward N       pictures per measurement of the forward pass  [256]
  --memory-only     only the memory
  --speed-only      only the speed`;

/** @typedef {{ seconds: number, calls: number, megabytes: number }} Footprint */

/** The work of a child process: it explains one picture and returns its time and memory. */
async function explainOnce(/** @type {any} */ { model: source, threads, method }) {
  const { explain, loadModel } = await fromDist('node.js');
  const picture = await demoPicture();
  const model = await loadModel(source, { threads });
  const { manifest, seconds } = await explain(model, picture, { method });
  await model.dispose();
  const megabytes = (1024 * process.resourceUsage().maxRSS) / 1e6;
  process.stdout.write(JSON.stringify({ seconds, calls: manifest.modelCalls.forward, megabytes }));
}

/** @returns {Footprint} */
function footprint(/** @type {object} */ request) {
  const answer = execFileSync(
    process.execPath,
    [fileURLToPath(import.meta.url), '--child', JSON.stringify(request)],
    { encoding: 'utf8' },
  );
  return JSON.parse(answer);
}

async function reportMemory(/** @type {any} */ { model, threads, methods }) {
  const rows = methods.map((/** @type {string} */ method) => {
    const { seconds, calls, megabytes } = footprint({ model, threads, method });
    return [method, megabytes.toFixed(0), String(calls), seconds.toFixed(1)];
  });
  table(['default options', 'peak MB', 'model calls', 'seconds'], rows);
  console.log('');
}

/** The batch size that the model uses if none is set. */
async function naturalBatch(/** @type {any} */ model, /** @type {any} */ input) {
  const { tensor } = await fromDist('node.js');
  let batch = 0;
  const onProgress = (/** @type {number} */ done) => {
    batch ||= done;
  };
  const perturbation = { kind: 'windows', windows: new Int32Array(4 * 64), keep: 'outside' };
  await model.perturb({
    input,
    baseline: tensor([1, input.shape[1], 1, 1]),
    perturbation,
    targets: [0],
    onProgress,
  });
  return batch;
}

async function reportSpeed(
  /** @type {any} */ { model: source, threads, methods, masks, repetitions, pictures },
) {
  const { createNodeRuntime, explain, loadModel, prepareInput, resolveModel } =
    await fromDist('node.js');
  const { bytes } = await resolveModel(source);
  const model = await loadModel(source, { threads });
  const input = await demoInput(model);
  const batch = await naturalBatch(model, input);
  const forward = await forwardPass(await createNodeRuntime({ threads }), bytes, input, batch);
  if (!forward)
    usage(
      `the model does not take batches of ${batch}: expected a float32 input with an open batch ` +
        `dimension`,
    );
  const batches = Math.ceil(pictures / batch);
  const perThousand = (
    /** @type {import('./harness.mjs').Seconds} */ { wall, cpu },
    /** @type {number} */ calls,
  ) => ({
    wall: (1000 * wall) / calls,
    cpu: (1000 * cpu) / calls,
  });
  const pure = async () => {
    const seconds = await time(async () => {
      for (let i = 0; i < batches; i++) await forward();
    });
    return perThousand(seconds, batches * batch);
  };
  const prepared = await prepareInput(model, await demoPicture());
  /** @type {Record<string, { wall: number[], cpu: number[], seconds: number[], calls: number }>} */
  const measured = Object.fromEntries(
    methods.map((/** @type {string} */ name) => [
      name,
      { wall: [], cpu: [], seconds: [], calls: 0 },
    ]),
  );
  await pure();
  let before = await pure();
  const references = [before.wall];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const method of methods) {
      let calls = 0;
      const seconds = await time(async () => {
        const { manifest } = await explain(model, prepared, {
          method,
          options: method === 'iassa' ? {} : { N: masks },
        });
        calls = manifest.modelCalls.forward;
      });
      const own = perThousand(seconds, calls);
      const after = await pure();
      const entry = measured[method];
      entry.wall.push((2 * own.wall) / (before.wall + after.wall));
      entry.cpu.push((2 * own.cpu) / (before.cpu + after.cpu));
      entry.seconds.push(own.wall);
      entry.calls = calls;
      references.push(after.wall);
      before = after;
    }
  }
  const rows = Object.entries(measured).map(([name, { wall, cpu, seconds, calls }]) => [
    name,
    String(calls),
    spread(seconds).median.toFixed(2),
    ratioText(spread(wall)),
    ratioText(spread(cpu)),
  ]);
  table(
    [
      `batches of ${batch}`,
      'model calls',
      's per 1,000 calls',
      'over the forward pass',
      'in CPU time',
    ],
    [
      ['forward pass', String(batches * batch), spread(references).median.toFixed(2), '1', '1'],
      ...rows,
    ],
  );
  await model.dispose();
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: defaultModel },
      methods: { type: 'string', default: 'iassa,rise' },
      masks: { type: 'string', default: '1000' },
      threads: { type: 'string', default: '1' },
      repetitions: { type: 'string', default: '3' },
      forward: { type: 'string', default: '256' },
      'memory-only': { type: 'boolean', default: false },
      'speed-only': { type: 'boolean', default: false },
      child: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  if (values.child !== undefined) return explainOnce(JSON.parse(values.child));
  const { createNodeRuntime } = await fromDist('node.js');
  const threads = count('threads', values.threads);
  machine(
    `${(await createNodeRuntime({ threads })).name}, ${threads} thread(s), ` +
      values.model.split(/[\\/]/).at(-1),
  );
  const request = {
    model: values.model,
    threads,
    methods: values.methods.split(','),
    masks: count('masks', values.masks),
    repetitions: count('repetitions', values.repetitions),
    pictures: count('forward', values.forward),
  };
  if (!values['speed-only']) await reportMemory(request);
  if (!values['memory-only']) await reportSpeed(request);
}

await main();
