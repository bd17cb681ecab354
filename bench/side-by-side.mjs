// @ts-check
/**
 * Compares this build with another build of Fovea, for example that of the previous commit. It
 * compares the seconds and the peak memory of a process that loads a model and explains one picture
 * with one method. The two builds alternate, and each ratio compares neighbouring runs. So other
 * programs slow both builds equally.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { count, defaultModel, machine, ratioText, spread, table, usage } from './harness.mjs';

/** @type {Readonly<Record<string, Readonly<Record<string, number>>>>} */
const OPTIONS = {
  rise: { N: 500 },
  oise: { N: 500 },
  lime: { N: 200 },
  iassa: { calls: 300 },
};

const HELP = `node bench/side-by-side.mjs --other FOLDER [options]
  --other FOLDER    dist/ of the other build, the folder with node.js
  --model PATH      an ONNX file or an embedded model   [../shared/models/mobilenet_v2.onnx]
  --methods A,B     methods [grad-cam,integrated-gradients,iia,lrp,rise,iassa,sag]
  --threads N       threads of the runtime              [1]
  --repetitions N   runs of each build and method       [5]
  RISE, OISE, LIME and IASSA run with fewer calls than by default: ${JSON.stringify(OPTIONS)}`;

/** @typedef {{ wall: number, cpu: number, megabytes: number }} Footprint */

/** The work of a child process: it loads the model and explains one picture. */
async function explainOnce(/** @type {any} */ { dist, model: source, threads, method }) {
  const { explain, loadModel } = await import(pathToFileURL(resolve(dist, 'node.js')).href);
  const data = new Uint8Array(320 * 240 * 3);
  for (let i = 0; i < data.length; i++) data[i] = (i * 7 + ((i * i) >> 9)) % 256;
  const picture = { width: 320, height: 240, data };
  const used = process.cpuUsage();
  const started = performance.now();
  const model = await loadModel(source, { threads });
  await explain(model, picture, { method, options: OPTIONS[method] ?? {} });
  const wall = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(used);
  await model.dispose();
  const megabytes = (1024 * process.resourceUsage().maxRSS) / 1e6;
  process.stdout.write(JSON.stringify({ wall, cpu: (user + system) / 1e6, megabytes }));
}

/** @returns {Footprint} */
function footprint(/** @type {object} */ request) {
  const args = [fileURLToPath(import.meta.url), '--child', JSON.stringify(request)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

/** The row of a method: median seconds and memory of both builds, and the ratios. */
function compareBuilds(
  /** @type {any} */ request,
  /** @type {string[]} */ dists,
  /** @type {number} */ repetitions,
) {
  /** @type {Footprint[][]} */
  const runs = [[], []];
  for (let i = 0; i < repetitions; i++)
    for (const side of i % 2 === 0 ? [0, 1] : [1, 0])
      runs[side].push(footprint({ ...request, dist: dists[side] }));
  const medians = (/** @type {keyof Footprint} */ key) =>
    runs.map((side) => spread(side.map((run) => run[key])).median);
  const ratio = (/** @type {keyof Footprint} */ key) =>
    ratioText(spread(runs[0].map((run, i) => run[key] / runs[1][i][key])));
  const [cpu, otherCpu] = medians('cpu');
  const [megabytes, otherMegabytes] = medians('megabytes');
  return [
    request.method,
    `${cpu.toFixed(2)} / ${otherCpu.toFixed(2)}`,
    ratio('cpu'),
    ratio('wall'),
    `${megabytes.toFixed(0)} / ${otherMegabytes.toFixed(0)}`,
    ratio('megabytes'),
  ];
}

const { values } = parseArgs({
  options: {
    other: { type: 'string' },
    model: { type: 'string', default: defaultModel },
    methods: { type: 'string', default: 'grad-cam,integrated-gradients,iia,lrp,rise,iassa,sag' },
    threads: { type: 'string', default: '1' },
    repetitions: { type: 'string', default: '5' },
    child: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.child !== undefined) await explainOnce(JSON.parse(values.child));
else if (values.help) console.log(HELP);
else {
  const own = fileURLToPath(new URL('../dist/', import.meta.url));
  const other = values.other ?? usage(`--other is missing\n${HELP}`);
  for (const dist of [own, other])
    if (!existsSync(resolve(dist, 'node.js'))) usage(`${dist} has no node.js: build first`);
  const threads = count('threads', values.threads);
  machine(`${threads} thread(s), ${values.model.split(/[\\/]/).at(-1)}`);
  const rows = values.methods
    .split(',')
    .map((method) =>
      compareBuilds(
        { model: values.model, threads, method },
        [own, other],
        count('repetitions', values.repetitions),
      ),
    );
  table(
    ['this / other', 'CPU seconds', 'ratio', 'ratio of wall time', 'peak MB', 'ratio of memory'],
    rows,
  );
}
