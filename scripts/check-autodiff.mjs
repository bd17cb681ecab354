// @ts-check
/**
 * Checks the gradients of whole networks. It compares our gradients of torchvision exports with
 * PyTorch's float64 autograd, for the input and for inner tensors. It prints a Markdown table. The
 * exit code is 1 if a relative error is above 1e-4 and also above twice the error of PyTorch's own
 * float32 gradient.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `node scripts/check-autodiff.mjs [--opset N] [--size N] [NETWORK[:OPSET[:SIZE]]...]
  --opset N         opset of networks without :OPSET        [13]
  --size N          height and width of networks without :SIZE  [96]
  --opsets          checks small networks at every opset that PyTorch exports, and at later opsets
                    in which the same nodes are valid
  --unselected N    compares the errors of Fovea and of PyTorch's float32 on N pictures without
                    selection. By default two pictures are used whose gates do not depend on
                    rounding.
A network is a name of torchvision, or NETWORK+elu for ELU in place of every ReLU.
Needs a build (npm run build) and a Python with PyTorch, torchvision and onnx: /usr/bin/python3, or
the Python that the environment variable PYTHON names.`;

const DEFAULT = `resnet50:13 resnet101:11 vgg19:12:224 densenet201:11 mobilenet_v2:10
  mobilenet_v3_large:14 efficientnet_b0:13 efficientnet_v2_s:16 convnext_tiny:14 regnet_y_400mf:12
  googlenet:11 squeezenet1_1:9 shufflenet_v2_x1_0:11 mnasnet1_0:11 inception_v3:13:299
  alexnet:12:224 swin_t:14:224 vit_b_16:14:224 maxvit_t:16:224`;

const SMALL = `resnet18::64 vgg::64 densenet121::64 mobilenet_v2::64 mobilenet_v3_small::64
  efficientnet_b0::64 regnet_y_400mf::64 googlenet::64 squeezenet1_1::64 shufflenet_v2_x0_5::64
  mnasnet0_5::64 inception_v3::96 convnext::64 vit::64 swin::64 swin_v2::64 maxvit::64`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    opset: { type: 'string' },
    size: { type: 'string' },
    opsets: { type: 'boolean' },
    unselected: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const dist = new URL('../dist/', import.meta.url);
if (!existsSync(dist)) {
  console.error('dist/ is missing: build first with npm run build');
  process.exit(2);
}
const { createNodeRuntime } = await import(new URL('runtime/onnxruntime-node.js', dist).href);
const { inferShapes, readModel, withGraph, writeModel } = await import(
  new URL('onnx/index.js', dist).href
);
const { gradientModel, prepareModel } = await import(new URL('autodiff/index.js', dist).href);
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

/**
 * The names of the recorded inner tensors in the model. Two tensors count as the same tensor if
 * they have the same shape and the same values (relative error below 1e-4).
 * @returns {Promise<Map<string, string[]>>} by key of the record: all matching names
 */
async function findTensors(
  /** @type {any} */ model,
  /** @type {any} */ read,
  /** @type {any} */ reference,
  /** @type {any} */ feeds,
) {
  const graph = prepareModel(model).graph;
  const shapes = inferShapes(graph, { inputs: { input: reference.shapes.input } });
  const inner = Array.from({ length: reference.inner }, (_, i) => `inner${i}`);
  const wanted = new Set(inner.map((key) => reference.shapes[key].join()));
  const names = graph.nodes
    .map((/** @type {any} */ node) => node.outputs[0])
    .filter((/** @type {string} */ name) => wanted.has(shapes.get(name)?.shape?.join() ?? ''));
  const infos = names.map((/** @type {string} */ name) => ({
    name,
    type: null,
    shape: null,
    otherFields: [],
  }));
  const values = await run(withGraph(model, { ...graph, outputs: infos }), feeds);
  // A copy of a tensor (a Concat with one input) has the same values but another gradient. So all
  // matching names are kept, and the smallest error among them counts.
  /** @type {Map<string, string[]>} */
  const found = new Map();
  for (const key of inner) {
    const same = names.filter(
      (/** @type {string} */ name) =>
        name !== 'scores' &&
        values[name].data.length === read(key).length &&
        relativeError(values[name].data, read(key)) < 1e-4,
    );
    if (same.length > 0) found.set(key, same);
  }
  return found;
}

/**
 * @typedef {(
 *   reference: any,
 *   read: (key: string) => Float32Array,
 *   model: (opset: number) => any,
 * ) => Promise<any>} Use
 */

/**
 * Runs check-autodiff.py for a network and passes its records to `use`. The files are deleted
 * afterwards.
 */
async function recorded(
  /** @type {string} */ network,
  /** @type {string} */ opsets,
  /** @type {string} */ size,
  /** @type {Use} */ use,
  /** @type {string[]} */ ...rest
) {
  const folder = mkdtempSync(join(tmpdir(), 'fovea-autodiff-'));
  try {
    const script = fileURLToPath(new URL('./check-autodiff.py', import.meta.url));
    execFileSync(
      process.env.PYTHON ?? '/usr/bin/python3',
      [script, network, opsets, size, folder, ...rest],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8'));
    const read = (/** @type {string} */ key) =>
      new Float32Array(new Uint8Array(readFileSync(join(folder, `${key}.f32`))).buffer);
    return await use(reference, read, (opset) =>
      readModel(new Uint8Array(readFileSync(join(folder, `model-${opset}.onnx`)))),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Scores and gradients of a model, and the time to emit the gradient model in milliseconds. */
async function differentiate(
  /** @type {any} */ model,
  /** @type {any} */ reference,
  /** @type {any} */ read,
  /** @type {string[]} */ wrt,
) {
  const tensor = (/** @type {string} */ key) => ({
    type: 'float32',
    shape: reference.shapes[key],
    data: read(key),
  });
  const started = performance.now();
  const gradient = gradientModel(model, { of: 'scores', wrt, outputs: ['scores'] });
  const milliseconds = performance.now() - started;
  const result = await run(gradient.model, {
    input: tensor('input'),
    [gradient.cotangent]: tensor('cotangent'),
  });
  return {
    scores: result.scores.data,
    gradient: (/** @type {string} */ name) => result[gradient.gradients.get(name)].data,
    milliseconds,
  };
}

const check = (
  /** @type {string} */ network,
  /** @type {string} */ opset,
  /** @type {string} */ size,
) =>
  recorded(network, opset, size, async (reference, read, load) => {
    const model = load(Number(opset));
    const found = await findTensors(model, read, reference, {
      input: { type: 'float32', shape: reference.shapes.input, data: read('input') },
    });
    const { scores, gradient, milliseconds } = await differentiate(model, reference, read, [
      'input',
      ...new Set([...found.values()].flat()),
    ]);
    const errors = [...found].map(([key, names]) =>
      Math.min(...names.map((name) => relativeError(gradient(name), read(`${key}_grad`)))),
    );
    return {
      scores: relativeError(scores, read('scores')),
      input: relativeError(gradient('input'), read('input_grad')),
      inner: Math.max(...errors),
      found: found.size,
      noise: reference.noise,
      milliseconds,
    };
  });

const OPSETS = Array.from({ length: 14 }, (_, i) => i + 9);

/** The cell of each opset: the error of the gradient, or the reason why there is no gradient. */
const sweep = (/** @type {string} */ network, /** @type {string} */ size) =>
  recorded(
    network,
    OPSETS.filter((opset) => opset <= 17).join(),
    size,
    async (reference, read, load) => {
      if (reference.exported.length === 0) return ['PyTorch exports it at no opset'];
      const last = Math.max(...reference.exported);
      const cells = [];
      for (const opset of OPSETS) {
        const isExport = reference.exported.includes(opset);
        if (!isExport && opset < last) {
          cells.push('·');
          continue;
        }
        const base = load(isExport ? opset : last);
        const model = withGraph(base, {
          ...base.graph,
          opset: new Map([...base.graph.opset, ['', opset]]),
        });
        const feeds = {
          input: { type: 'float32', shape: reference.shapes.input, data: read('input') },
        };
        // The nodes of an earlier opset need not be valid in a later one.
        const valid =
          isExport ||
          (await run(model, feeds).then(
            ({ scores }) => relativeError(scores.data, read('scores')) < 1e-4,
            () => false,
          ));
        const error =
          valid &&
          (await differentiate(model, reference, read, ['input']).then(
            ({ gradient }) => relativeError(gradient('input'), read('input_grad')),
            String,
          ));
        if (typeof error === 'string')
          process.stderr.write(`${network} at opset ${opset}: ${error}\n`);
        failed ||=
          typeof error === 'string' ||
          (typeof error === 'number' && !(error < Math.max(1e-4, 2 * reference.noise)));
        cells.push(
          error === false
            ? '·'
            : typeof error === 'string'
              ? '**fails**'
              : `${isExport ? '' : '('}${error.toExponential(0)}${isExport ? '' : ')'}`,
        );
      }
      return cells;
    },
  );

/**
 * Relative errors on pictures without selection: our median and largest error, then the median and
 * the largest error of PyTorch in float32.
 */
const unselected = (
  /** @type {string} */ network,
  /** @type {string} */ opset,
  /** @type {string} */ size,
  /** @type {string} */ pictures,
) =>
  recorded(
    network,
    opset,
    size,
    async (reference, read, load) => {
      const { gradient } = await differentiate(load(Number(opset)), reference, read, ['input']);
      const [got, wanted] = [gradient('input'), read('input_grad')];
      const each = wanted.length / Number(pictures);
      const errors = reference.noises.map((/** @type {number} */ _, /** @type {number} */ i) =>
        relativeError(got.slice(i * each, (i + 1) * each), wanted.slice(i * each, (i + 1) * each)),
      );
      const middle = (/** @type {number[]} */ list) =>
        [...list].sort((a, b) => a - b)[list.length >> 1];
      return [
        middle(errors),
        Math.max(...errors),
        middle(reference.noises),
        Math.max(...reference.noises),
      ];
    },
    pictures,
  );

let failed = false;
const networks = (
  positionals.length > 0 ? positionals : (values.opsets ? SMALL : DEFAULT).split(/\s+/)
).map((item) => {
  const [network, opset, size] = item.split(':');
  return { network, opset: opset || (values.opset ?? '13'), size: size || (values.size ?? '96') };
});
const reasonOf = (/** @type {any} */ error) =>
  String(error.stderr || error.message)
    .trim()
    .split('\n')
    .at(-1);

if (values.opsets) {
  console.log(`| network | size | ${OPSETS.join(' | ')} |`);
  console.log(`| --- | ---: ${'| ---: '.repeat(OPSETS.length)}|`);
  for (const { network, size } of networks) {
    const cells = await sweep(network, size).catch((error) => [reasonOf(error)]);
    console.log(`| ${network} | ${size} | ${cells.join(' | ')} |`);
  }
  process.exit(failed ? 1 : 0);
}
if (values.unselected !== undefined) {
  console.log('| network | opset | size | median | largest | PyTorch float32, median | largest |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const { network, opset, size } of networks) {
    const figures = await unselected(network, opset, size, values.unselected);
    console.log(
      `| ${network} | ${opset} | ${size} | ` +
        `${figures.map((/** @type {number} */ value) => value.toExponential(1)).join(' | ')} |`,
    );
  }
  process.exit(0);
}
console.log(
  '| network | opset | size | scores | input gradient | PyTorch float32 | inner gradients ' +
    '| inner tensors | emitted in ms |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
for (const { network, opset, size } of networks) {
  try {
    const { scores, input, inner, found, noise, milliseconds } = await check(network, opset, size);
    const text = [scores, input, noise, inner].map((value) => value.toExponential(1)).join(' | ');
    const limit = Math.max(1e-4, 2 * noise);
    const bad = !(input < limit && inner < limit);
    failed ||= bad;
    console.log(
      `| ${network} | ${opset} | ${size} | ${text} | ${found} | ${milliseconds.toFixed(0)} |` +
        (bad ? ' **over**' : ''),
    );
  } catch (error) {
    failed = true;
    console.log(`| ${network} | ${opset} | ${size} | ${reasonOf(error)} |`);
  }
}
process.exitCode = failed ? 1 : 0;
