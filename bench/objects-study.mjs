// @ts-check
/**
 * Compares variants of methods (a method, its options, a seed) on a folder of labelled pictures
 * with object masks. It measures pointing game, IoU, F1, insertion, deletion, model calls and
 * seconds.
 *
 *   npm run build
 *   node bench/objects-study.mjs --variant iassa \
 *     --variant '{"name":"rise4000","method":"rise","options":{"N":4000}}'
 *
 * The map explains the labelled class, even if the model predicts another class. The script appends
 * every score to the results file at once. After an interrupted run, or with more variants or
 * pictures, the next run computes only the missing scores. The file records model, picture, method,
 * options, seed and step, but not the code. After a change of a method, use another `--out`.
 */
import { basename } from 'node:path';
import { fromDist } from './harness.mjs';
import { positive, readArguments, readItems, readVariants } from './objects-study/arguments.mjs';
import { report } from './objects-study/report.mjs';
import { appendResult, readResults } from './objects-study/results.mjs';
import { loadSample, study } from './objects-study/score.mjs';

/** @import { Item, Row, Variant } from './objects-study/types.mjs' */

async function main() {
  const given = readArguments();
  const variants = readVariants(given);
  const items = readItems(given.dataset, given.limit);
  const protocol = {
    step: positive('--step', given.step),
    metrics: given.metrics.split(','),
    tolerance: positive('--tolerance', given.tolerance, 0),
  };
  const modules = [
    'node.js',
    'explain.js',
    'metrics/index.js',
    'methods/index.js',
    'model/input/preprocessing.js',
    'tensor/index.js',
  ];
  const fovea = Object.assign({}, ...(await Promise.all(modules.map(fromDist))));
  for (const name of protocol.metrics) fovea.metrics.get(name);
  for (const { method, options } of variants)
    fovea.parseOptions(fovea.methods.get(method), options);

  const model = await fovea.loadModel(given.model);
  const results = readResults(given.out);
  const dataset = basename(given.dataset);
  const say = (/** @type {string} */ line) => given.quiet || process.stderr.write(`${line}\n`);
  const keyOf = (
    /** @type {Item} */ { file, index },
    /** @type {Variant} */ { method, options, seed, trace },
  ) =>
    JSON.stringify([
      model.fingerprint.slice(0, 16),
      dataset,
      file,
      index,
      method,
      options,
      seed,
      trace,
      protocol,
    ]);
  const missing = items.flatMap((item) =>
    variants
      .filter((variant) => !results.has(keyOf(item, variant)))
      .map((variant) => ({ item, variant })),
  );
  say(
    `${items.length} pictures, ${variants.length} variants, ` +
      `${missing.length} of ${items.length * variants.length} results missing`,
  );

  let [done, failures] = [0, 0];
  const started = performance.now();
  for (const item of items) {
    const open = missing.filter((one) => one.item === item);
    if (open.length === 0) continue;
    const sample = await loadSample(fovea, model, given.dataset, item).catch((error) => {
      process.stderr.write(`${item.file} is left out: ${error.message}\n`);
    });
    if (!sample) failures++;
    for (const { variant } of sample ? open : []) {
      try {
        const row = {
          key: keyOf(item, variant),
          image: item.file,
          variant: variant.name,
          ...(await study(fovea, model, variant, protocol, sample)),
        };
        appendResult(given.out, row);
        results.set(row.key, row);
        const left = ((performance.now() - started) / 1000 / ++done) * (missing.length - done);
        const scores = Object.entries(row.scores).map(
          ([name, value]) => `${name} ${value?.toFixed(3) ?? '-'}`,
        );
        say(
          `[${done}/${missing.length}, ${left.toFixed(0)} s left] ${item.file} ${variant.name}: ` +
            `${scores.join(', ')} (${row.calls} calls, ${row.seconds.toFixed(1)} s)`,
        );
      } catch (error) {
        failures++;
        const message = error instanceof Error ? error.message : error;
        process.stderr.write(`${item.file} ${variant.name} failed: ${message}\n`);
      }
    }
  }
  const found = variants.map(
    (variant) =>
      /** @type {[string, Row[]]} */ ([
        variant.name,
        items.flatMap((item) => results.get(keyOf(item, variant)) ?? []),
      ]),
  );
  console.log(
    `${dataset}, ${basename(given.model)}, target: the labelled class, ` +
      `step ${protocol.step}, tolerance ${protocol.tolerance}`,
  );
  report(fovea, variants, new Map(found), protocol);
  await model.dispose();
  if (failures > 0) process.exitCode = 1;
}

await main().catch((error) => {
  const known = error?.name === 'FoveaError' || String(error?.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`objects-study: ${known ? error.message : (error?.stack ?? error)}\n`);
  process.exitCode = known ? 2 : 1;
});
