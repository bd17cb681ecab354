// @ts-check
/**
 * Scores variants of methods (a method, its options, a seed) on a folder of labelled pictures with
 * object masks, for choosing between them: pointing game, IoU, F1, insertion, deletion, model
 * calls, seconds.
 *
 *   npm run build
 *   node bench/objects-study.mjs --variant '{"name":"rise4000","method":"rise","options":{"N":4000}}' --variant iassa
 *
 * The map explains the labelled class, whatever the model says. Every score is appended to the
 * results file as it comes; a run that is stopped, or extended by variants or pictures, computes
 * only what is missing. The file knows model, picture, method, options, seed and step, but not the
 * code: use another `--out` after changing a method.
 */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
} from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `node bench/objects-study.mjs [options]
  --variant V       a method's name, or JSON {"name", "method", "options", "seed", "trace"}; repeatable
                    ("trace": N scores every Nth intermediate map of an anytime method too)
  --variants FILE   a JSON file with a list of such objects
  --only A,B        only the variants of these names
  --dataset DIR     holds labels.txt (tab: file, class index, WordNet id, name), images/, masks/  [../shared/datasets/objects-mini]
  --model PATH      an ONNX file                                   [../shared/models/mobilenet_v2.onnx]
  --limit N         the first N pictures
  --step N          pixels a step of deletion and insertion; 224 is the published protocol  [1792, 29 scores at 224x224]
  --metrics A,B     which metrics                                  [pointing-game,iou,f1,insertion,deletion]
  --tolerance N     pixels of the pointing game                    [0]
  --out FILE        results, one JSON object a line                [.cache/objects-study.jsonl]
  --quiet           no progress on stderr
With no variant: iassa, rise, occlusion, random.`;

const here = dirname(fileURLToPath(import.meta.url));
const fromDist = async (/** @type {string} */ path) => {
  try {
    return await import(new URL(`../dist/${path}`, import.meta.url).href);
  } catch (error) {
    if (!existsSync(join(here, '../dist', path)))
      usage(`dist/${path} is missing: build first with npm run build`);
    throw error;
  }
};

/** @returns {never} */
function usage(/** @type {string} */ message) {
  process.stderr.write(`objects-study: ${message}\n`);
  process.exit(2);
}

/**
 * @typedef {{ name: string, method: string, options: Record<string, unknown>, seed: number, trace:
 * number }} Variant
 * @typedef {{ file: string, index: number }} Item
 * @typedef {Record<string, number | null>} Scores
 * @typedef {{ key: string, image: string, scores: Scores, activated: number, calls: number,
 * seconds: number, probability: number,
 *   trace?: { calls: number, detail: object, scores: Scores, activated: number }[] }} Row
 * @typedef {{ step: number, metrics: string[], tolerance: number }} Protocol
 */

function readArguments() {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      quiet: { type: 'boolean' },
      variant: { type: 'string', multiple: true, default: [] },
      variants: { type: 'string' },
      only: { type: 'string' },
      dataset: { type: 'string', default: join(here, '../../shared/datasets/objects-mini') },
      model: { type: 'string', default: join(here, '../../shared/models/mobilenet_v2.onnx') },
      limit: { type: 'string' },
      step: { type: 'string', default: '1792' },
      metrics: { type: 'string', default: 'pointing-game,iou,f1,insertion,deletion' },
      tolerance: { type: 'string', default: '0' },
      out: { type: 'string', default: join(here, '../.cache/objects-study.jsonl') },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  return values;
}

/** @returns {Variant} */
function parseVariant(/** @type {unknown} */ given) {
  if (typeof given !== 'object' || given === null || !('method' in given))
    usage(`a variant needs a method: ${JSON.stringify(given)}`);
  const {
    name,
    method,
    options = {},
    seed = 0,
    trace = 0,
    ...rest
  } = /** @type {Record<string, any>} */ (given);
  if (Object.keys(rest).length > 0)
    usage(
      `variant ${name ?? method} has an unknown key "${Object.keys(rest)[0]}": expected name, method, options, seed, trace`,
    );
  return {
    name: name ?? method,
    method,
    options,
    seed,
    trace: positive('trace', String(trace), 0),
  };
}

/** @returns {unknown} */
function parseJson(/** @type {string} */ text, /** @type {string} */ where) {
  try {
    return JSON.parse(text);
  } catch (error) {
    return usage(`${where} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** @returns {Variant[]} */
function readVariants(/** @type {ReturnType<typeof readArguments>} */ { variant, variants, only }) {
  if (variants !== undefined && !existsSync(variants))
    usage(`--variants ${variants}: there is no such file`);
  const listed = variants === undefined ? [] : parseJson(readFileSync(variants, 'utf8'), variants);
  if (!Array.isArray(listed)) usage(`${variants} should hold a list of variants`);
  const given = [
    ...listed,
    ...variant.map((text) =>
      text.trim().startsWith('{') ? parseJson(text, '--variant') : { method: text },
    ),
  ];
  const all = (
    given.length > 0
      ? given
      : ['iassa', 'rise', 'occlusion', 'random'].map((method) => ({ method }))
  ).map(parseVariant);
  const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) !== i);
  if (twice) usage(`two variants are called "${twice.name}"`);
  const names = only?.split(',');
  const unknown = names?.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined)
    usage(`--only ${unknown}: the variants are ${all.map(({ name }) => name).join(', ')}`);
  return names ? all.filter(({ name }) => names.includes(name)) : all;
}

/** @returns {Item[]} */
function readItems(/** @type {string} */ dataset, /** @type {string | undefined} */ limit) {
  const path = join(dataset, 'labels.txt');
  if (!existsSync(path))
    usage(
      `${path} does not exist: expected lines of file, class index, WordNet id, name, separated by tabs`,
    );
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const items = lines.map((line, i) => {
    const [file, index] = line.split('\t');
    if (!/^\d+$/.test(index ?? ''))
      usage(`${path}, line ${i + 1}: expected a class index after the file, got "${index}"`);
    return { file, index: Number(index) };
  });
  return items.slice(0, limit === undefined ? items.length : positive('--limit', limit));
}

function positive(/** @type {string} */ name, /** @type {string} */ text, least = 1) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    usage(`${name} ${text}: expected a whole number of at least ${least}`);
  return value;
}

/** Rows by key; a last line that was cut off is left out. @returns {Map<string, Row>} */
function readResults(/** @type {string} */ path) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  if (!existsSync(path)) return rows;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    try {
      const row = JSON.parse(line);
      if (typeof row?.key === 'string') rows.set(row.key, row);
    } catch {} // the line a stopped run left unfinished
  }
  return rows;
}

/** Appends a line, on a line of its own even after one that was cut off. */
function appendResult(/** @type {string} */ path, /** @type {Row} */ row) {
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${endsInLine(path) ? '' : '\n'}${JSON.stringify(row)}\n`);
}

function endsInLine(/** @type {string} */ path) {
  if (!existsSync(path)) return true;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const last = Buffer.alloc(1);
    return size === 0 || (readSync(file, last, 0, 1, size - 1) === 1 && last[0] === 10);
  } finally {
    closeSync(file);
  }
}

/** A mask picture as the model sees it, [H·W]: the pixel under each input pixel's centre. */
async function readMask(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {string} */ path,
  /** @type {any} */ picture,
) {
  if (!existsSync(path)) throw new Error(`its mask ${path} does not exist`);
  const mask = await fovea.readImage(path);
  if (mask.width !== picture.width || mask.height !== picture.height) {
    throw new Error(
      `its mask is ${mask.width}x${mask.height}, the picture ${picture.width}x${picture.height}`,
    );
  }
  const [height, width] = model.preprocessing.size;
  const region = fovea.inputRegion(mask.width, mask.height, model.preprocessing);
  return Uint8Array.from({ length: height * width }, (_, i) => {
    const y = Math.floor(region.top + ((Math.floor(i / width) + 0.5) * region.height) / height);
    const x = Math.floor(region.left + (((i % width) + 0.5) * region.width) / width);
    return mask.data[3 * (y * mask.width + x)] >= 128 ? 1 : 0;
  });
}

/** Every metric on one map. */
async function scoreMap(
  /** @type {any} */ fovea,
  /** @type {Protocol} */ protocol,
  /** @type {any} */ context,
) {
  const order = protocol.metrics.some((name) => fovea.metrics.get(name).needs.includes('model'))
    ? fovea.pixelOrder(context.map.data)
    : undefined;
  /** @type {Scores} */
  const scores = {};
  for (const name of protocol.metrics) {
    const metric = fovea.metrics.get(name);
    const options = metric.needs.includes('model')
      ? { step: protocol.step }
      : name === 'pointing-game'
        ? { tolerance: protocol.tolerance }
        : {};
    scores[name] = (await metric.score({ ...context, order, options })).value;
  }
  return { scores, activated: fovea.activatedPixels(context.map.data) };
}

/**
 * Explains one picture with one variant and scores the map. @returns {Promise<Omit<Row, 'key' |
 * 'image'>>}
 */
async function study(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {Variant} */ variant,
  /** @type {Protocol} */ protocol,
  /** @type {any} */ sample,
) {
  const { method, options, seed } = variant;
  /** @type {any[]} */
  const partials = [];
  let offers = 0;
  const onMap = (/** @type {any} */ partial) => {
    if (++offers % variant.trace === 0)
      partials.push({
        ...partial,
        map: { shape: partial.map.shape, data: partial.map.data.slice() },
      });
  };
  const explanation = await fovea.explain(model, sample.prepared, {
    method,
    options,
    seed,
    target: sample.index,
    ...(variant.trace > 0 && { onMap }),
  });
  const { map, target, manifest, seconds } = explanation;
  const context = { model, input: sample.prepared.input, target, mask: sample.mask };
  const row = {
    ...(await scoreMap(fovea, protocol, { ...context, map })),
    calls: manifest.modelCalls.forward,
    seconds,
    probability: target.probability,
  };
  if (variant.trace === 0) return row;
  const trace = [];
  for (const { map: partial, calls, detail } of partials)
    trace.push({
      calls,
      detail,
      ...(await scoreMap(fovea, protocol, { ...context, map: partial })),
    });
  return { ...row, trace };
}

/**
 * Percentile bootstrap of the mean, 2000 resamples, always the same draws. @returns {[number,
 * number]}
 */
function bootstrap(/** @type {any} */ fovea, /** @type {number[]} */ values) {
  const random = fovea.createRandom(1);
  const means = Float64Array.from(
    { length: 2000 },
    () => values.reduce((sum) => sum + values[random.integer(values.length)], 0) / values.length,
  ).sort();
  return [means[50], means[1949]];
}

const mean = (/** @type {number[]} */ values) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const markdown = (/** @type {string[]} */ head, /** @type {string[][]} */ rows) =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');

/** `mean (low … high)`, or a dash where there is nothing. */
function cell(
  /** @type {any} */ fovea,
  /** @type {(number | null | undefined)[]} */ values,
  factor = 1,
  sign = false,
) {
  const known = values.flatMap((value) =>
    value === null || value === undefined ? [] : [value * factor],
  );
  if (known.length === 0) return '-';
  const text = (/** @type {number} */ value) =>
    `${sign && value >= 0 ? '+' : ''}${value.toFixed(factor === 1 ? 3 : 2)}`;
  const [low, high] = bootstrap(fovea, known);
  return `${text(mean(known))} (${text(low)} … ${text(high)})`;
}

/** Prints image-level means, pixel-level means, differences to the first variant, and traces. */
function report(
  /** @type {any} */ fovea,
  /** @type {Variant[]} */ variants,
  /** @type {Map<string, Row[]>} */ rows,
  /** @type {Protocol} */ { metrics },
) {
  const rowsOf = (/** @type {Variant} */ { name }) => rows.get(name) ?? [];
  const arrow = (/** @type {string} */ name) =>
    `${name} ${fovea.metrics.get(name).direction === 'higher' ? '↑' : '↓'}`;
  const table = (
    /** @type {string} */ title,
    /** @type {string[]} */ more,
    /** @type {(variant: Variant) => string[]} */ line,
    shown = variants,
  ) =>
    console.log(
      `\n${title}\n\n${markdown(
        ['variant', ...metrics.map(arrow), ...more],
        shown.map((variant) => [variant.name, ...line(variant)]),
      )}`,
    );

  table(
    'Mean (95% bootstrap interval)',
    ['activated pixels', 'calls', 'seconds', 'pictures'],
    (variant) => {
      const own = rowsOf(variant);
      const plain = (/** @type {number[]} */ values, digits = 0) =>
        values.length === 0 ? '-' : mean(values).toFixed(digits);
      return [
        ...metrics.map((name) =>
          cell(
            fovea,
            own.map(({ scores }) => scores[name]),
          ),
        ),
        ...[
          plain(own.map((row) => row.activated)),
          plain(own.map((row) => row.calls)),
          plain(
            own.map((row) => row.seconds),
            2,
          ),
          String(own.length),
        ],
      ];
    },
  );
  table('Per activated pixel, × 10⁻⁵', [], (variant) =>
    metrics.map((name) =>
      cell(
        fovea,
        rowsOf(variant).map(({ scores, activated }) =>
          scores[name] === null || activated === 0 ? null : scores[name] / activated,
        ),
        1e5,
      ),
    ),
  );
  if (variants.length > 1) {
    const first = new Map(rowsOf(variants[0]).map((row) => [row.image, row]));
    const difference = (/** @type {Row} */ row, /** @type {string} */ name) => {
      const [a, b] = [row.scores[name], first.get(row.image)?.scores[name]];
      return a === null || b === null || b === undefined ? null : a - b;
    };
    table(
      `Difference to ${variants[0].name}, picture by picture`,
      [],
      (variant) =>
        metrics.map((name) =>
          cell(
            fovea,
            rowsOf(variant).map((row) => difference(row, name)),
            1,
            true,
          ),
        ),
      variants.slice(1),
    );
  }
  for (const variant of variants.filter(({ trace }) => trace > 0))
    reportTrace(fovea, variant, rowsOf(variant), metrics);
}

function reportTrace(
  /** @type {any} */ fovea,
  /** @type {Variant} */ variant,
  /** @type {Row[]} */ rows,
  /** @type {string[]} */ metrics,
) {
  const steps = Math.max(0, ...rows.map(({ trace }) => trace?.length ?? 0));
  if (steps === 0) return;
  const lines = Array.from({ length: steps }, (_, i) => {
    const points = rows.flatMap(({ trace }) => (trace?.[i] ? [trace[i]] : []));
    return [
      String((i + 1) * variant.trace),
      mean(points.map(({ calls }) => calls)).toFixed(0),
      String(points.length),
      ...metrics.map((name) =>
        cell(
          fovea,
          points.map(({ scores }) => scores[name]),
        ),
      ),
    ];
  });
  console.log(
    `\nIntermediate maps of ${variant.name}\n\n${markdown(['map', 'calls', 'pictures', ...metrics], lines)}`,
  );
}

/** Picture, input and mask of an item. */
async function loadSample(
  /** @type {any} */ fovea,
  /** @type {any} */ model,
  /** @type {string} */ dataset,
  /** @type {Item} */ { file, index },
) {
  const picture = await fovea.readImage(join(dataset, 'images', file));
  const mask = await readMask(
    fovea,
    model,
    join(dataset, 'masks', `${basename(file, extname(file))}.png`),
    picture,
  );
  return { index, mask, prepared: await fovea.prepareInput(model, picture) };
}

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
    'model/preprocessing.js',
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
    `${items.length} pictures, ${variants.length} variants, ${missing.length} of ${items.length * variants.length} results missing`,
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
        say(
          `[${done}/${missing.length}, ${left.toFixed(0)} s left] ${item.file} ${variant.name}: ${Object.entries(
            row.scores,
          )
            .map(([name, value]) => `${name} ${value?.toFixed(3) ?? '-'}`)
            .join(', ')} (${row.calls} calls, ${row.seconds.toFixed(1)} s)`,
        );
      } catch (error) {
        failures++;
        process.stderr.write(
          `${item.file} ${variant.name} failed: ${error instanceof Error ? error.message : error}\n`,
        );
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
    `${dataset}, ${basename(given.model)}, target: the labelled class, step ${protocol.step}, tolerance ${protocol.tolerance}`,
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
