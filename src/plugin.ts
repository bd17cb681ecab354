import { type NamedRules, ruleSets } from './autodiff/index.ts';
import { type DatasetReader, datasetReaders } from './datasets/dataset.ts';
import { FoveaError } from './errors.ts';
import { type Method, methods } from './methods/method.ts';
import { type Metric, metrics } from './metrics/metric.ts';
import { type ColormapDefinition, colormaps } from './visualize/colormap.ts';

/** Methods, metrics, data sets, color maps and backward rules that come from outside Fovea. */
export interface Plugin {
  readonly methods?: readonly Method[];
  readonly metrics?: readonly Metric[];
  readonly datasets?: readonly DatasetReader[];
  readonly colormaps?: readonly ColormapDefinition[];
  readonly rules?: readonly NamedRules[];
}

/** Declares a plugin: `export default definePlugin({ methods: [mine] })`. */
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}

/** How to recognize an object of each kind: by a field, and the type of its value. */
const KINDS = {
  methods: { kind: 'method', field: 'explain', type: 'function', by: 'defineMethod' },
  metrics: { kind: 'metric', field: 'score', type: 'function', by: 'defineMetric' },
  datasets: { kind: 'data set reader', field: 'open', type: 'function', by: 'defineReader' },
  colormaps: { kind: 'color map', field: 'color', type: 'function', by: 'a name and color(t)' },
  rules: { kind: 'rule set', field: 'rules', type: 'object', by: 'defineRules' },
} as const;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Whether a value is a Standard Schema: an object, or a function as some libraries make. */
function isSchema(value: unknown): boolean {
  if (typeof value !== 'function' && !isObject(value)) return false;
  const standard: unknown = Reflect.get(value, '~standard');
  return isObject(standard) && typeof standard.validate === 'function';
}

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

function refuse(from: string, what: string): never {
  throw new FoveaError('usage', `${from} ${what}`);
}

/** Checks a list of a plugin: each entry must look like its kind. */
function checkList(key: keyof typeof KINDS, list: unknown, from: string): void {
  const { kind, field, type, by } = KINDS[key];
  if (!Array.isArray(list)) refuse(from, `has ${key} that are not a list: expected ${key}: […]`);
  for (const [i, item] of list.entries()) {
    const hasField =
      isObject(item) &&
      (typeof item[field] === type || (key === 'rules' && typeof item[field] === 'function'));
    if (!hasField || typeof item.name !== 'string')
      refuse(from, `has ${key}[${i}], which is not a ${kind}: make it with ${by}`);
    if (key === 'colormaps' || key === 'rules') continue;
    if (!isSchema(item.options))
      refuse(from, `has ${key}[${i}], whose options are not a Standard Schema: make it with ${by}`);
    if (key !== 'datasets' && !isTexts(item.needs))
      refuse(from, `has ${key}[${i}], whose needs are not a list of names: make it with ${by}`);
  }
}

function checkPlugin(plugin: unknown, from: string): asserts plugin is Plugin {
  const known = Object.keys(KINDS);
  const expected = `expected an object with ${known.join(', ')}`;
  if (!isObject(plugin)) refuse(from, `is not a plugin: ${expected}`);
  const unknown = Object.keys(plugin).find((key) => !known.includes(key));
  if (unknown !== undefined) refuse(from, `has "${unknown}": ${expected}`);
  if (Object.keys(plugin).length === 0) refuse(from, `is empty: ${expected}`);
  for (const key of Object.keys(KINDS) as (keyof typeof KINDS)[])
    if (plugin[key] !== undefined) checkList(key, plugin[key], from);
}

/**
 * Registers the contents of a plugin, so that they can be used by name. `from` is the plugin's name
 * in messages.
 * @throws FoveaError `usage` if it is not a plugin, or if a name is used already.
 */
export function registerPlugin(plugin: Plugin, from = 'the plugin'): void {
  checkPlugin(plugin, from);
  try {
    methods.register(...(plugin.methods ?? []));
    metrics.register(...(plugin.metrics ?? []));
    datasetReaders.register(...(plugin.datasets ?? []));
    colormaps.register(...(plugin.colormaps ?? []));
    ruleSets.register(...(plugin.rules ?? []));
  } catch (cause) {
    if (!(cause instanceof FoveaError)) throw cause;
    throw new FoveaError('usage', `${from}: ${cause.message}`, { cause });
  }
}
