// @ts-check
/**
 * The CPU time of WebAssembly in Chromium over that of Node, for the same maps: RISE with 500 masks
 * on demo-cnn, and IIA on mobilenet_v2. Occlusion on mobilenet_v2 is the reference for IIA: it is
 * nothing but forward passes, so its ratio is that of the runtimes. Both sides use the same number of
 * threads, and have prepared the picture and the sessions before. Each run in the browser lies
 * between two runs in Node, and its ratio to their mean counts.
 *
 * Usage: node bench/browser.mjs [--repetitions 5] [--threads 2] [--case rise|iia|occlusion]
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openChromium } from './chromium.mjs';
import {
  count,
  defaultModel,
  demoPicture,
  fromDist,
  machine,
  ratioText,
  spread,
  table,
  time,
} from './harness.mjs';

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    case: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (values.help) {
  console.log('node bench/browser.mjs [--repetitions 5] [--threads 2] [--case rise|iia|occlusion]');
  process.exit();
}
const repetitions = count('repetitions', values.repetitions);
const threads = count('threads', values.threads);

/** The largest ratio that is wanted. */
const BAR = 2.5;

const CASES = [
  { name: 'rise', model: 'demo-cnn', options: { N: 500 } },
  { name: 'iia', model: defaultModel, options: {} },
  {
    name: 'occlusion',
    model: defaultModel,
    options: { window: 64, stride: 32 },
    isReference: true,
  },
].filter(({ name }) => values.case === undefined || values.case === name);

const { explain, loadModel, prepareInput } = await fromDist('node.js');
const picture = await demoPicture();
const json = defaultModel.replace(/\.onnx$/, '.json');
const { page, version, cpuSeconds, close } = await openChromium({
  '/model.onnx': defaultModel,
  ...(existsSync(json) && { '/model.json': json }),
});

/** @type {string[][]} */
const rows = [];
let isWithin = true;
for (const { name: method, model: source, options, isReference } of CASES) {
  const model = await loadModel(source, { threads });
  const address = source.endsWith('.onnx') ? '/model.onnx' : source;
  await page.evaluate(
    (asked) => /** @type {any} */ (globalThis).openModel(asked),
    /** @type {any} */ ({ model: address, threads }),
  );
  const { width, height, data } = picture;
  await page.evaluate(
    ([image, request]) => {
      const picture = { ...image, data: Uint8Array.from(image.data) };
      const page = /** @type {any} */ (globalThis);
      page.run = () => page.explainer.explain(picture, request);
    },
    /** @type {const} */ ([
      { width, height, data: [...data] },
      { method, options },
    ]),
  );
  const prepared = await prepareInput(model, picture); // as the worker does, once for each picture
  const inNode = () => time(() => explain(model, prepared, { method, options }));
  const inBrowser = async () => {
    const used = await cpuSeconds();
    const wall = await page.evaluate(async () => {
      const started = performance.now();
      await /** @type {any} */ (globalThis).run();
      return (performance.now() - started) / 1000;
    });
    return { wall, cpu: (await cpuSeconds()) - used };
  };
  await inNode(); // sessions are made, caches filled
  await inBrowser();
  const ratios = { wall: /** @type {number[]} */ ([]), cpu: /** @type {number[]} */ ([]) };
  const seconds = { node: /** @type {number[]} */ ([]), browser: /** @type {number[]} */ ([]) };
  let before = await inNode();
  for (let i = 0; i < repetitions; i++) {
    const browser = await inBrowser();
    const after = await inNode();
    ratios.wall.push((2 * browser.wall) / (before.wall + after.wall));
    ratios.cpu.push((2 * browser.cpu) / (before.cpu + after.cpu));
    seconds.node.push(after.cpu);
    seconds.browser.push(browser.cpu);
    before = after;
  }
  await model.dispose();
  const cpu = spread(ratios.cpu);
  isWithin &&= isReference || cpu.median <= BAR;
  rows.push([
    `${method}, ${model.name}`,
    spread(seconds.node).median.toFixed(2),
    spread(seconds.browser).median.toFixed(2),
    ratioText(cpu),
    ratioText(spread(ratios.wall)),
  ]);
}
machine(`Chromium ${version}, ${threads} threads`);
table(['', 'CPU s, Node', 'CPU s, browser', 'CPU ratio', 'wall ratio'], rows);
await close();
process.exitCode = isWithin ? 0 : 1;
