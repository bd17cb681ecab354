// @ts-check
/**
 * Shared parts of the benchmarks: the build, a picture, and ratios that are meaningful even if the
 * machine runs other programs. Each measurement is made between two measurements of its reference.
 * The result is the ratio of the measurement to the mean of these two. The benchmarks print the
 * median and the quartiles of many such ratios. They print CPU seconds beside wall seconds, because
 * waiting for other programs makes only wall seconds longer.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** @typedef {{ wall: number, cpu: number }} Seconds */
/** @typedef {{ name: string, wall: Spread, cpu: Spread, seconds: Seconds }} Comparison */
/** @typedef {{ median: number, low: number, high: number }} Spread */

/** Prints the message and exits with the code for wrong usage. @returns {never} */
export function usage(/** @type {string} */ message) {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}

/** A module of the build, by its path within dist/. */
export function fromDist(/** @type {string} */ path) {
  const url = new URL(`../dist/${path}`, import.meta.url);
  if (!existsSync(url)) usage(`dist/${path} is missing: build first with npm run build`);
  return import(url.href);
}

const MOBILENET = fileURLToPath(new URL('../../shared/models/mobilenet_v2.onnx', import.meta.url));

/** The model to measure by default: mobilenet_v2 if it is present, else the embedded model. */
export const defaultModel = existsSync(MOBILENET) ? MOBILENET : 'demo-cnn';

/** A whole number of at least 1 from the command line. */
export function count(/** @type {string} */ name, /** @type {string} */ text) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    usage(`--${name} ${text}: expected a whole number of at least 1`);
  return value;
}

/** A picture to explain: a demo scene, the same on every machine. */
export async function demoPicture() {
  const [{ createScene }, { loadSprites }] = await Promise.all([
    fromDist('demo/scenes.js'),
    fromDist('demo/sprites.js'),
  ]);
  return createScene(await loadSprites(), 1, { className: 'teapot' }).image;
}

/** The picture as a model's input, [1, C, H, W]. */
export async function demoInput(/** @type {any} */ model) {
  const { preprocess } = await fromDist('node.js');
  return preprocess(await demoPicture(), model.preprocessing);
}

/**
 * A function that runs the pure forward pass: the unchanged model file in its own session, with a
 * ready batch of `size` copies of a picture. Returns undefined if the file requires another batch
 * size.
 * @returns {Promise<(() => Promise<unknown>) | undefined>}
 */
export async function forwardPass(
  /** @type {any} */ runtime,
  /** @type {Uint8Array} */ bytes,
  /** @type {any} */ input,
  /** @type {number} */ size,
) {
  const { dataInputs, readModel } = await fromDist('onnx/index.js');
  const [info] = dataInputs(readModel(bytes).graph);
  if (info.shape === null || info.shape.length !== 4 || info.type !== 'float32') return undefined;
  if (typeof info.shape[0] === 'number' && info.shape[0] !== size) return undefined;
  const data = new Float32Array(size * input.data.length);
  for (let i = 0; i < size; i++) data.set(input.data, i * input.data.length);
  const feeds = { [info.name]: { type: 'float32', shape: [size, ...input.shape.slice(1)], data } };
  const session = await runtime.createSession(bytes);
  return () => session.run(feeds);
}

/**
 * Seconds of a task after one warm-up run of the same task. Without the warm-up, one side of a
 * ratio could be slower only because the other side has emptied the caches.
 * @returns {Promise<Seconds>}
 */
async function warmTime(/** @type {() => Promise<unknown>} */ task) {
  await task();
  return time(task);
}

/** @returns {Promise<Seconds>} */
export async function time(/** @type {() => Promise<unknown>} */ task) {
  const used = process.cpuUsage();
  const started = performance.now();
  await task();
  const wall = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(used);
  return { wall, cpu: (user + system) / 1e6 };
}

/** Median and quartiles. @returns {Spread} */
export function spread(/** @type {readonly number[]} */ values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) => {
    const position = share * (sorted.length - 1);
    const below = Math.floor(position);
    return (
      sorted[below] +
      (position - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below])
    );
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/**
 * Compares tasks with a reference task. The reference runs before and after each task. Every task
 * is measured `repetitions` times, and the order of the tasks rotates.
 * @returns {Promise<Comparison[]>} the ratios and the median seconds of each task. The first
 * element is the reference itself.
 */
export async function compare(
  /** @type {() => Promise<unknown>} */ reference,
  /** @type {Readonly<Record<string, () => Promise<unknown>>>} */ tasks,
  /** @type {number} */ repetitions,
) {
  const names = Object.keys(tasks);
  // The first runs create sessions and fill caches.
  for (const task of [reference, ...Object.values(tasks), reference]) await task();
  /** @type {Map<string, { ratio: Seconds, seconds: Seconds }[]>} */
  const measured = new Map(names.map((name) => [name, []]));
  let before = await warmTime(reference);
  const references = [before];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + repetition) % names.length];
      const seconds = await warmTime(tasks[name]);
      const after = await warmTime(reference);
      const ratio = {
        wall: (2 * seconds.wall) / (before.wall + after.wall),
        cpu: (2 * seconds.cpu) / (before.cpu + after.cpu),
      };
      measured.get(name)?.push({ ratio, seconds });
      references.push(after);
      before = after;
    }
  }
  const one = { median: 1, low: 1, high: 1 };
  const medians = (/** @type {Seconds[]} */ all) => ({
    wall: spread(all.map(({ wall }) => wall)).median,
    cpu: spread(all.map(({ cpu }) => cpu)).median,
  });
  return [
    { name: 'reference', wall: one, cpu: one, seconds: medians(references) },
    ...[...measured].map(([name, all]) => ({
      name,
      wall: spread(all.map(({ ratio }) => ratio.wall)),
      cpu: spread(all.map(({ ratio }) => ratio.cpu)),
      seconds: medians(all.map(({ seconds }) => seconds)),
    })),
  ];
}

/** `1.04 (1.02 … 1.07)` */
export const ratioText = (/** @type {Spread} */ { median, low, high }) =>
  `${median.toFixed(3)} (${low.toFixed(3)} … ${high.toFixed(3)})`;

/** Prints a Markdown table. */
export function table(
  /** @type {readonly string[]} */ head,
  /** @type {readonly (readonly string[])[]} */ rows,
) {
  for (const cells of [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows])
    console.log(`| ${cells.join(' | ')} |`);
}

/** Starts the PyTorch side, which writes one line for every line that it reads. */
export function startPeer(
  /** @type {string} */ python,
  /** @type {string} */ script,
  /** @type {string[]} */ args,
) {
  const child = spawn(python, [script, 'serve', ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('PyTorch ended early: its message is above');
    return JSON.parse(value);
  };
  return {
    answer,
    async run() {
      child.stdin.write('\n');
      return answer();
    },
    end: () => child.kill(),
  };
}

/** Prints the date, the machine and the versions of the figures. */
export function machine(/** @type {string} */ runtime) {
  const [cpu] = cpus();
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ` +
      `${cpu?.model.trim() ?? 'unknown CPU'} × ${cpus().length}, ` +
      `load ${loadavg()[0].toFixed(1)}, ${runtime}, Node ${process.versions.node}\n`,
  );
}
