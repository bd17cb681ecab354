// @ts-check
/** Reads the command line of the study of objects: settings, variants of methods, and pictures. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { usage } from '../harness.mjs';

/** @import { Item, Variant } from './types.mjs' */

const HELP = `node bench/objects-study.mjs [options]
  --variant V       a method's name, or JSON {"name", "method", "options", "seed", "trace"}. Can be
                    repeated. With "trace": N, every Nth intermediate map of an anytime method is
                    scored too.
  --variants FILE   a JSON file with a list of such objects
  --only A,B        only the variants with these names
  --dataset DIR     folder with labels.txt, images/ and masks/. A line of labels.txt has file, class
                    index, WordNet id and name, separated by tabs.
                    [../shared/datasets/objects-mini]
  --model PATH      an ONNX file                    [../shared/models/mobilenet_v2.onnx]
  --limit N         only the first N pictures
  --step N          pixels per step of deletion and insertion; 224 is the published protocol
                    [1792, 29 scores at 224x224]
  --metrics A,B     which metrics                   [pointing-game,iou,f1,insertion,deletion]
  --tolerance N     pixels of the pointing game     [0]
  --out FILE        results, one JSON object per line [.cache/objects-study.jsonl]
  --quiet           prints no progress on stderr
Default variants: iassa, rise, occlusion, random.`;

const bench = dirname(dirname(fileURLToPath(import.meta.url)));

export function readArguments() {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', short: 'h' },
      quiet: { type: 'boolean' },
      variant: { type: 'string', multiple: true, default: [] },
      variants: { type: 'string' },
      only: { type: 'string' },
      dataset: { type: 'string', default: join(bench, '../../shared/datasets/objects-mini') },
      model: { type: 'string', default: join(bench, '../../shared/models/mobilenet_v2.onnx') },
      limit: { type: 'string' },
      step: { type: 'string', default: '1792' },
      metrics: { type: 'string', default: 'pointing-game,iou,f1,insertion,deletion' },
      tolerance: { type: 'string', default: '0' },
      out: { type: 'string', default: join(bench, '../.cache/objects-study.jsonl') },
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
      `variant ${name ?? method} has an unknown key "${Object.keys(rest)[0]}": ` +
        `expected name, method, options, seed, trace`,
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
export function readVariants(
  /** @type {{ variant: string[], variants?: string, only?: string }} */ {
    variant,
    variants,
    only,
  },
) {
  if (variants !== undefined && !existsSync(variants))
    usage(`--variants ${variants}: there is no such file`);
  const listed = variants === undefined ? [] : parseJson(readFileSync(variants, 'utf8'), variants);
  if (!Array.isArray(listed)) usage(`${variants} is not a list of variants`);
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
export function readItems(/** @type {string} */ dataset, /** @type {string | undefined} */ limit) {
  const path = join(dataset, 'labels.txt');
  if (!existsSync(path))
    usage(
      `${path} does not exist: expected lines with file, class index, WordNet id and name, ` +
        `separated by tabs`,
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

export function positive(/** @type {string} */ name, /** @type {string} */ text, least = 1) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    usage(`${name} ${text}: expected a whole number of at least ${least}`);
  return value;
}
