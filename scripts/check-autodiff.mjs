// @ts-check
/**
 * Whole networks: gradients of torchvision exports against PyTorch's float64 autograd, of the input and of inner
 * tensors. Prints a Markdown table; ends with 1 if a relative error is over 1e-4 and over twice PyTorch's own in float32.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `node scripts/check-autodiff.mjs [--opset N] [--size N] [NETWORK[:OPSET[:SIZE]]...]
Needs a build (npm run build) and a Python with PyTorch, torchvision and onnx; another than /usr/bin/python3 can be named in PYTHON.`;

const DEFAULT = `resnet50:13 resnet101:11 vgg19:12:224 densenet201:11 mobilenet_v2:10 mobilenet_v3_large:14 efficientnet_b0:13 efficientnet_v2_s:16
  convnext_tiny:14 regnet_y_400mf:12 googlenet:11 squeezenet1_1:9 shufflenet_v2_x1_0:11 mnasnet1_0:11 inception_v3:13:299 alexnet:12:224
  swin_t:14:224 vit_b_16:14:224 maxvit_t:16:224`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { opset: { type: 'string' }, size: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const dist = new URL('../dist/src/', import.meta.url);
if (!existsSync(dist)) {
  console.error('dist/ is missing: build first with npm run build');
  process.exit(2);
}
const { createNodeRuntime } = await import(new URL('runtime/onnxruntime-node.js', dist).href);
const { inferShapes, readModel, withGraph, writeModel } = await import(new URL('onnx/index.js', dist).href);
const { gradientModel, prepareGraph } = await import(new URL('autodiff/index.js', dist).href);
const runtime = await createNodeRuntime({ threads: 1 });

/** @param {ArrayLike<number>} got @param {ArrayLike<number>} wanted */
function relativeError(got, wanted) {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    difference += (got[i] - wanted[i]) ** 2;
    norm += wanted[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** Runs a model once. @param {any} model @param {Record<string, any>} feeds */
async function run(model, feeds) {
  const session = await runtime.createSession(writeModel(model));
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The names that recorded inner tensors have in the model: those of the same shape whose values are the same. */
async function findTensors(/** @type {any} */ model, /** @type {any} */ read, /** @type {any} */ reference, /** @type {any} */ feeds) {
  const graph = prepareGraph(model);
  const shapes = inferShapes(graph, { inputs: { input: reference.shapes.input } });
  const inner = Array.from({ length: reference.inner }, (_, i) => `inner${i}`);
  const wanted = new Set(inner.map((key) => reference.shapes[key].join()));
  const names = graph.nodes
    .map((/** @type {any} */ node) => node.outputs[0])
    .filter((/** @type {string} */ name) => wanted.has(shapes.get(name)?.shape?.join() ?? ''));
  const infos = names.map((/** @type {string} */ name) => ({ name, type: null, shape: null, otherFields: [] }));
  const values = await run(withGraph(model, { ...graph, outputs: infos }), feeds);
  // A copy (a Concat of one tensor) has the values of its original and another gradient: the nearer one counts.
  /** @type {Map<string, string[]>} */
  const found = new Map();
  for (const key of inner) {
    const same = names.filter(
      (/** @type {string} */ name) => name !== 'scores' && values[name].data.length === read(key).length && relativeError(values[name].data, read(key)) < 1e-4,
    );
    if (same.length > 0) found.set(key, same);
  }
  return found;
}

async function check(/** @type {string} */ network, /** @type {string} */ opset, /** @type {string} */ size) {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-autodiff-'));
  try {
    const script = fileURLToPath(new URL('./check-autodiff.py', import.meta.url));
    execFileSync(process.env.PYTHON ?? '/usr/bin/python3', [script, network, opset, size, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    const reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'));
    const read = (/** @type {string} */ key) => new Float32Array(new Uint8Array(readFileSync(join(folder, `${key}.f32`))).buffer);
    const tensor = (/** @type {string} */ key) => ({ type: 'float32', shape: reference.shapes[key], data: read(key) });
    const model = readModel(new Uint8Array(readFileSync(join(folder, 'model.onnx'))));
    const found = await findTensors(model, read, reference, { input: tensor('input') });
    const started = performance.now();
    const gradient = gradientModel(model, { of: 'scores', wrt: ['input', ...new Set([...found.values()].flat())], outputs: ['scores'] });
    const milliseconds = performance.now() - started;
    const result = await run(gradient.model, { input: tensor('input'), [gradient.cotangent]: tensor('cotangent') });
    const errors = [...found].map(([key, names]) =>
      Math.min(...names.map((name) => relativeError(result[gradient.gradients.get(name)].data, read(`${key}_grad`)))),
    );
    return {
      scores: relativeError(result.scores.data, read('scores')),
      input: relativeError(result[gradient.gradients.get('input')].data, read('input_grad')),
      inner: Math.max(...errors),
      found: found.size,
      noise: reference.noise,
      milliseconds,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

console.log('| network | opset | size | scores | input gradient | PyTorch float32 | inner gradients | of | emitted in ms |');
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
let failed = false;
for (const item of positionals.length > 0 ? positionals : DEFAULT.split(/\s+/)) {
  const [network, opset = values.opset ?? '13', size = values.size ?? '96'] = item.split(':');
  try {
    const { scores, input, inner, found, noise, milliseconds } = await check(network, opset, size);
    const text = [scores, input, noise, inner].map((value) => value.toExponential(1)).join(' | ');
    const limit = Math.max(1e-4, 2 * noise);
    const bad = !(input < limit && inner < limit);
    failed ||= bad;
    console.log(`| ${network} | ${opset} | ${size} | ${text} | ${found} | ${milliseconds.toFixed(0)} |${bad ? ' **over**' : ''}`);
  } catch (error) {
    failed = true;
    const message = String(/** @type {any} */ (error).stderr ?? /** @type {any} */ (error).message)
      .trim()
      .split('\n')
      .at(-1);
    console.log(`| ${network} | ${opset} | ${size} | ${message} |`);
  }
}
process.exitCode = failed ? 1 : 0;
