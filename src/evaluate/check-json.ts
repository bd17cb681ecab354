import type { EvaluationRecord } from './records.ts';
import type { Settings } from './settings.ts';

/** Says what is wrong with a value, or returns undefined. */
type Check = (value: unknown) => string | undefined;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const when =
  (isRight: (value: unknown) => boolean, wanted: string): Check =>
  (value) =>
    isRight(value) ? undefined : `expected ${wanted}`;

const text = when((value) => typeof value === 'string', 'text');
const finite = when(Number.isFinite, 'a number');
const count = when((value) => Number.isInteger(value) && Number(value) >= 0, 'a whole number');
const object = when(isObject, 'an object');
const hash = when(
  (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  'a SHA-256 in hexadecimal digits',
);

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? undefined : check(value);

const nullable =
  (check: Check): Check =>
  (value) =>
    value === null ? undefined : check(value);

const listOf =
  (check: Check): Check =>
  (value) => {
    if (!Array.isArray(value)) return 'expected a list';
    const at = value.findIndex((each) => check(each) !== undefined);
    return at < 0 ? undefined : `[${at}]: ${check(value[at])}`;
  };

const fields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) => {
    if (!isObject(value)) return 'expected an object';
    for (const [name, check] of Object.entries(checks)) {
      const problem = check(value[name]);
      if (problem !== undefined) return `${name}: ${problem}`;
    }
    return undefined;
  };

const valuesOf =
  (check: Check): Check =>
  (value) => {
    if (!isObject(value)) return 'expected an object';
    const wrong = Object.entries(value).find(([, each]) => check(each) !== undefined);
    return wrong && `${wrong[0]}: ${check(wrong[1])}`;
  };

const calls = fields({ forward: count, backward: count });

const common = { item: text, method: text, modelCalls: calls, seconds: finite };

const mapRecord = fields({
  ...common,
  target: fields({ index: count, label: text, probability: finite }),
  label: optional(text),
  cache: hash,
  activatedPixels: count,
  sketch: listOf(finite),
});

const numbers = listOf(finite);

const curve: Check = (value) => {
  const problem = fields({ x: numbers, y: numbers })(value);
  if (problem !== undefined) return problem;
  const { x, y } = value as { readonly x: readonly number[]; readonly y: readonly number[] };
  return x.length === y.length ? undefined : 'expected as many x as y';
};

const pair: Check = (value) =>
  numbers(value) ?? ((value as unknown[]).length === 2 ? undefined : 'expected two numbers');

const scoreRecord = fields({
  ...common,
  metric: text,
  value: nullable(finite),
  reason: optional(text),
  preset: text,
  options: object,
  curve: optional(curve),
  ratios: optional(listOf(pair)),
});

/** A line of the file of scores, or what is wrong with it. */
export function checkRecord(value: unknown): EvaluationRecord | string {
  if (!isObject(value)) return 'expected an object';
  if (value.kind !== 'map' && value.kind !== 'score') return 'kind: expected "map" or "score"';
  const problem = (value.kind === 'map' ? mapRecord : scoreRecord)(value);
  return problem ?? (value as unknown as EvaluationRecord);
}

const settings = fields({
  fovea: text,
  model: fields({ name: text, fingerprint: text, runtime: text, preprocessing: object }),
  dataset: fields({
    name: text,
    protocol: listOf(text),
    options: object,
    index: optional(text),
  }),
  target: text,
  seed: finite,
  methods: valuesOf(fields({ method: text, options: object })),
  metrics: valuesOf(fields({ metric: text, preset: text, options: object })),
});

/** The settings of a folder, or what is wrong with them. */
export function checkSettings(value: unknown): Settings | string {
  return settings(value) ?? (value as Settings);
}
