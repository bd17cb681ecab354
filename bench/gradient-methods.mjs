// @ts-check
/**
 * Measures what white-box methods cost beyond their passes through the network. Each method is
 * compared with bare session calls on the same number of ready rows. For IIA, the bare calls run
 * the backbone on its pictures, and the head forward and backward on all points of the feature
 * map's paths. For Grad-CAM and integrated gradients, they run the whole network forward and
 * backward.
 */
import { parseArgs } from 'node:util';
import {
  compare,
  count,
  defaultModel,
  demoPicture,
  fromDist,
  machine,
  ratioText,
  table,
} from './harness.mjs';

const HELP = `node bench/gradient-methods.mjs [options]
  --model PATH      an ONNX file                                [../shared/models/mobilenet_v2.onnx]
  --steps N         steps of IIA and integrated gradients       [10]
  --batch N         largest batch of a bare session call        [8]
  --threads N       threads of the runtime                      [1]
  --repetitions N   runs of each                                [7]`;

/** @typedef {{ type: string, shape: number[], data: Float32Array }} Feed */

/** A tensor of this shape, filled with arbitrary numbers. @returns {Feed} */
function filled(/** @type {number[]} */ shape) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1)).map((_, i) => Math.sin(i) + 1);
  return { type: 'float32', shape, data };
}

/**
 * Bare calls of the network between two tensors for `rows` rows, `batch` rows per call. If `by` is
 * given, each call runs forward and backward to `by`.
 * @returns {Promise<() => Promise<void>>}
 */
async function bareCalls(
  /** @type {any} */ { runtime, model, from, to, shape, classes, rows, batch, by },
) {
  const { subgraph, withGraph, writeModel } = await fromDist('onnx/index.js');
  const { gradientModel } = await fromDist('autodiff/index.js');
  const part = withGraph(model, subgraph(model.graph, { inputs: [from], outputs: [to] }));
  const gradient = by
    ? gradientModel(part, {
        of: to,
        wrt: [by],
        outputs: [to],
        inputShapes: { [from]: ['n', ...shape] },
      })
    : undefined;
  const session = await runtime.createSession(writeModel(gradient?.model ?? part));
  const batches = Array.from({ length: Math.ceil(rows / batch) }, (_, i) => {
    const size = Math.min(batch, rows - i * batch);
    return {
      [from]: filled([size, ...shape]),
      ...(gradient && { [gradient.cotangent]: filled([size, classes]) }),
    };
  });
  return async () => {
    for (const feeds of batches) await session.run(feeds);
  };
}

async function main() {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: defaultModel },
      steps: { type: 'string', default: '10' },
      batch: { type: 'string', default: '8' },
      threads: { type: 'string', default: '1' },
      repetitions: { type: 'string', default: '7' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return console.log(HELP);
  const { createNodeRuntime, explain, loadModel, prepareInput, resolveModel } =
    await fromDist('node.js');
  const { dataInputs, readModel } = await fromDist('onnx/index.js');
  const [steps, threads, batch] = [
    count('steps', values.steps),
    count('threads', values.threads),
    count('batch', values.batch),
  ];
  const repetitions = count('repetitions', values.repetitions);
  const runtime = await createNodeRuntime({ threads });
  machine(
    `${runtime.name}, ${threads} thread(s), ${values.model.split(/[\\/]/).at(-1)}, ${steps} steps`,
  );
  const loaded = await loadModel(values.model, { threads });
  const prepared = await prepareInput(loaded, await demoPicture());
  const model = readModel((await resolveModel(values.model)).bytes);
  const layer = loaded.inside.featureMaps().at(-1);
  const picture = {
    runtime,
    model,
    batch,
    from: dataInputs(model.graph)[0].name,
    shape: prepared.input.shape.slice(1),
    classes: loaded.labels.length,
  };
  const logits = model.graph.outputs[0].name;
  const backbone = await bareCalls({ ...picture, to: layer.name, rows: steps });
  const map = {
    ...picture,
    from: layer.name,
    to: logits,
    shape: [layer.channels, layer.height, layer.width],
  };
  const head = await bareCalls({ ...map, rows: steps ** 2, by: layer.name });
  const pairs = {
    iia: {
      options: { steps },
      calls: async () => {
        await backbone();
        await head();
      },
    },
    'grad-cam': {
      options: {},
      calls: await bareCalls({ ...picture, to: logits, rows: 1, by: layer.name }),
    },
    'integrated-gradients': {
      options: { steps },
      calls: await bareCalls({ ...picture, to: logits, rows: steps, by: picture.from }),
    },
  };
  const rows = [];
  for (const [method, { options, calls }] of Object.entries(pairs)) {
    const [bare, whole] = await compare(
      calls,
      { [method]: () => explain(loaded, prepared, { method, options }) },
      repetitions,
    );
    rows.push([
      method,
      bare.seconds.wall.toFixed(3),
      whole.seconds.wall.toFixed(3),
      ratioText(whole.wall),
      ratioText(whole.cpu),
    ]);
  }
  table(['method', 'bare calls, s', 'method, s', 'over bare calls', 'in CPU time'], rows);
  await loaded.dispose();
}

await main();
