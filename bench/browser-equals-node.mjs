// @ts-check
/**
 * Whether a browser makes the maps that Node makes: every method on the demo models, the same
 * request in a worker in Chromium and in Node, and the correlation of the two maps. Methods that a
 * model cannot run must be refused on both sides with the same words, which are printed.
 *
 * Usage: node bench/browser-equals-node.mjs [--models demo-cnn,demo-vit] [--methods a,b]
 *   Exits with 1 if a correlation is not above 0.9999, except for methods that amplify rounding.
 */
import { parseArgs } from 'node:util';
import { openChromium } from './chromium.mjs';
import { demoPicture, fromDist, machine, table } from './harness.mjs';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'demo-cnn,demo-vit' },
    methods: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log('node bench/browser-equals-node.mjs [--models demo-cnn,demo-vit] [--methods a,b]');
  process.exit();
}

/** The lowest correlation that counts as the same map. */
const SAME = 0.9999;
const STILL_ALIKE = 0.5;

/**
 * Methods that amplify rounding errors, so that every other runtime makes another map, and the page
 * that says so. They are printed like the others, and need a correlation above 0.5 only.
 */
/** @type {Readonly<Record<string, string>>} */
const CHAOTIC = { 'guided-ig': 'docs/methods/guided-ig.md' };

/** Fewer samples and steps for methods whose defaults take minutes. */
/** @type {Readonly<Record<string, Readonly<Record<string, unknown>>>>} */
const OPTIONS = {
  iassa: { calls: 120 },
  'iassa-2020': { iterations: 2, window: 64, stride: 32 },
  iia: { steps: 4 },
  rise: { N: 100 },
  oise: { N: 96, chains: 4 },
  lime: { N: 60, segmentation: 'slic', segments: 20 },
  'kernel-shap': { segments: 10 },
  sag: { grid: 4, restarts: 0 },
  sobol: { s: 4, design: 8 },
  hsic: { s: 4, N: 60 },
  lima: { segments: 10 },
  phasewin: { segments: 10 },
  'i-gos': { size: 14, iterations: 3, steps: 4 },
  occlusion: { window: 56, stride: 28 },
  'integrated-gradients': { steps: 8 },
  'expected-gradients': { samples: 8 },
  smoothgrad: { samples: 8 },
  'guided-ig': { steps: 6 },
  'blur-ig': { steps: 6 },
  xrai: { steps: 4 },
};

const { explain, loadModel } = await fromDist('node.js');
const { pearson } = await fromDist('tensor/index.js');
const picture = await demoPicture();
const { width, height, data } = picture;
const { page, version, close } = await openChromium();
const sent = { width, height, data: [...data] };

const largest = (/** @type {Float32Array} */ values) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The map of Chromium, or why there is none. */
const there = (/** @type {any} */ request) =>
  page.evaluate(
    async ([{ width, height, data }, asked]) => {
      const { explainer } = /** @type {any} */ (globalThis);
      const image = { width, height, data: Uint8Array.from(data) };
      try {
        return {
          map: /** @type {number[]} */ ([...(await explainer.explain(image, asked)).map.data]),
        };
      } catch (error) {
        return { error: String(/** @type {Error} */ (error).message) };
      }
    },
    /** @type {const} */ ([sent, request]),
  );

/** @type {string[][]} */
const rows = [];
/** @type {string[][]} */
const refused = [];
let isSame = true;
for (const name of values.models.split(',')) {
  const model = await loadModel(name);
  const summary = await page.evaluate(
    (model) => /** @type {any} */ (globalThis).openModel({ model }),
    name,
  );
  for (const { name: method } of summary.methods) {
    if (values.methods && !values.methods.split(',').includes(method)) continue;
    const request = { method, options: OPTIONS[method], seed: 1 };
    const found = await there(request);
    const here = await explain(model, picture, request).catch(
      (/** @type {Error} */ error) => error,
    );
    const isError = here instanceof Error;
    if (isError || !found.map) {
      const isAgreed = isError && here.message === found.error;
      isSame &&= isAgreed;
      const why = isAgreed ? found.error : `${found.error ?? 'a map'} | ${here}`;
      (isAgreed ? refused : rows).push([name, method, why, '']);
      process.stderr.write(`${name} ${method} ${isAgreed ? 'refused' : why}\n`);
    } else {
      const r = pearson(found.map, here.map.data);
      const differences = here.map.data.map(
        (/** @type {number} */ value, /** @type {number} */ i) => value - (found.map[i] ?? NaN),
      );
      const share = largest(differences) / largest(here.map.data);
      const described = CHAOTIC[method];
      isSame &&= r > (described ? STILL_ALIKE : SAME);
      const text = described ? `${r.toFixed(7)} (amplifies rounding: ${described})` : r.toFixed(7);
      rows.push([name, method, text, share.toExponential(1)]);
      process.stderr.write(`${name} ${method} ${text}\n`);
    }
  }
  await model.dispose();
}
machine(`Chromium ${version}`);
table(['model', 'method', 'correlation', 'largest difference / largest value'], rows);
if (refused.length > 0) console.log('\nRefused on both sides:\n');
if (refused.length > 0)
  table(
    ['model', 'method', 'why'],
    refused.map((row) => row.slice(0, 3)),
  );
const compared = values.models
  .split(',')
  .map((name) => `${name} ${rows.filter(([model]) => model === name).length}`);
console.log(`\nMethods compared: ${compared.join(', ')}.`);
await close();
process.exitCode = isSame ? 0 : 1;
