// @ts-check
/**
 * Compares variants of methods on pictures of several data sets and on several networks, as one
 * pool: pointing game, IoU, F1, insertion, deletion, and the differences to the first variant,
 * picture by picture.
 *
 *   npm run build
 *   node bench/pooled-study.mjs --variant '{"name":"rise4000","method":"rise"}' --variant iassa \
 *     --variant '{"name":"black-box","method":"iassa","options":{"features":"none"}}'
 *
 * A picture counts for a network if the class that the network predicts is the class of the mask.
 * That class is explained. In the set "objects" the label is explained, as in objects-study.mjs.
 * `--half even` and `--half odd` divide the pictures of each set: choose settings on one half, and
 * report the other. Results are appended to a file, and an interrupted run goes on from there.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { fromDist, usage } from './harness.mjs';
import { readVariants } from './objects-study/arguments.mjs';
import { report } from './objects-study/report.mjs';
import { appendResult, readResults } from './objects-study/results.mjs';
import { maskAtInput, study } from './objects-study/score.mjs';

/** @import { Row } from './objects-study/types.mjs' */

const shared = fileURLToPath(new URL('../../shared/', import.meta.url));
const SETS = /** @type {Record<string, string>} */ ({
  objects: `objects:${join(shared, 'datasets/objects-mini')}`,
  coco: `coco:${join(shared, 'datasets/coco-mini')}`,
  voc: `voc:${join(shared, 'datasets/voc-mini')}`,
  demo: 'demo-scenes',
});
const METRICS = ['deletion', 'insertion', 'iou', 'f1', 'pointing-game'];
/** Objects smaller than this share of the input are left out. */
const SMALLEST = 0.005;

const { values } = parseArgs({
  options: {
    pool: { type: 'string', multiple: true },
    half: { type: 'string' },
    scenes: { type: 'string', default: '100' },
    variant: { type: 'string', multiple: true, default: [] },
    variants: { type: 'string' },
    only: { type: 'string' },
    out: {
      type: 'string',
      default: fileURLToPath(new URL('../.cache/pooled-study.jsonl', import.meta.url)),
    },
    help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  console.log(`node bench/pooled-study.mjs [options]
  --pool NET:SET+SET   a network and its sets, of ${Object.keys(SETS).join(', ')}; can be repeated
                       [mobilenet_v2:objects+coco+voc, squeezenet:objects+coco+voc, demo-cnn:demo]
  --half even|odd      every second picture of each set
  --scenes N           demo scenes                       [100]
  --variant V, --variants FILE, --only A,B   as in objects-study.mjs
  --out FILE           results, one JSON object per line [.cache/pooled-study.jsonl]`);
  process.exit(0);
}
if (values.half !== undefined && !['even', 'odd'].includes(values.half))
  usage(`--half ${values.half}: expected even or odd`);
const pools = (
  values.pool ?? ['mobilenet_v2:objects+coco+voc', 'squeezenet:objects+coco+voc', 'demo-cnn:demo']
).map((text) => {
  const [network = '', sets = ''] = text.split(':');
  const names = sets.split('+');
  const unknown = names.find((name) => !(name in SETS));
  if (unknown !== undefined)
    usage(`--pool ${text}: "${unknown}" is not one of ${Object.keys(SETS).join(', ')}`);
  return { network, names };
});
const variants = readVariants(values);
const modules = [
  'node.js',
  'explain.js',
  'metrics/index.js',
  'methods/index.js',
  'tensor/index.js',
];
const more = ['datasets/index.js', 'model/input/preprocessing.js'];
const fovea = Object.assign({}, ...(await Promise.all([...modules, ...more].map(fromDist))));

/** The recognized pictures of one set, with mask and class. */
async function* samplesOf(/** @type {any} */ model, /** @type {string} */ set) {
  const dataset = await fovea.openDataset(SETS[set]);
  const count = Math.min(dataset.length, Number(values.scenes));
  let kept = 0;
  for (let i = 0; i < (set === 'demo' ? count : dataset.length); i++) {
    const { id, image, label, mask } = await dataset.read(i);
    if (!label || !mask) continue;
    const classes = label.indices ?? [model.labels.indexOf(label.name)];
    const prepared = await fovea.prepareInput(model, image);
    const { data } = await model.classify(prepared.input);
    const top = fovea.argmax(data);
    const atInput = maskAtInput(fovea, model, mask);
    const share = atInput.reduce((sum, value) => sum + value, 0) / atInput.length;
    if (share < SMALLEST || (set !== 'objects' && !classes.includes(top))) continue;
    const isHere = values.half === undefined || kept % 2 === (values.half === 'even' ? 0 : 1);
    kept++;
    if (isHere) yield { id, index: set === 'objects' ? classes[0] : top, prepared, mask: atInput };
  }
}

const results = readResults(values.out);
/** @type {Map<string, Row[]>} */
const rows = new Map(variants.map(({ name }) => [name, []]));
for (const { network, names } of pools) {
  const file = network.startsWith('demo-') ? network : join(shared, 'models', `${network}.onnx`);
  const model = await fovea.loadModel(file, { threads: 1 });
  for (const set of names)
    for await (const sample of samplesOf(model, set)) {
      const step = Math.ceil(sample.mask.length / 28);
      const protocol = { step, metrics: METRICS, tolerance: 0 };
      const image = `${network} ${set} ${sample.id}`;
      for (const variant of variants) {
        const { method, options, seed } = variant;
        const key = JSON.stringify([image, method, options, seed, protocol]);
        const row = results.get(key) ?? {
          key,
          image,
          ...(await study(fovea, model, variant, protocol, sample)),
        };
        if (!results.has(key)) appendResult(values.out, row);
        results.set(key, row);
        rows.get(variant.name)?.push(row);
        process.stderr.write(`${image} ${variant.name}\n`);
      }
    }
  await model.dispose();
}
for (const [title, belongs] of /** @type {[string, (image: string) => boolean][]} */ ([
  ['All', () => true],
  ...pools.map(({ network }) => [
    network,
    (/** @type {string} */ image) => image.startsWith(`${network} `),
  ]),
])) {
  console.log(`\n# ${title}`);
  const own = [...rows].map(
    ([name, all]) =>
      /** @type {[string, Row[]]} */ ([name, all.filter(({ image }) => belongs(image))]),
  );
  report(fovea, variants, new Map(own), { step: 0, metrics: METRICS, tolerance: 0 });
}
