import * as v from 'valibot';
import { type Checked, checkJson } from '../check-json.ts';
import { type Json, parseJson } from '../json.ts';
import { number } from '../options.ts';
import type { EvaluationRecord } from './records.ts';
import type { Settings } from './settings.ts';

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in hexadecimals'));
/** Options and other values, which may be any JSON. */
const json = v.custom<Json>(() => true);
const jsonObject = v.record(text, json);

const common = {
  item: text,
  method: text,
  modelCalls: v.object({ forward: count, backward: count }),
  seconds: number,
};

const mapRecord = v.object({
  kind: v.literal('map'),
  ...common,
  target: v.object({ index: count, label: text, probability: number }),
  label: v.optional(text),
  cache: sha256,
  activatedPixels: count,
  sketch: v.array(number),
});

const curve = v.pipe(
  v.object({ x: v.array(number), y: v.array(number) }),
  v.check(({ x, y }) => x.length === y.length, 'expected as many x as y'),
);

const scoreRecord = v.object({
  kind: v.literal('score'),
  ...common,
  metric: text,
  value: v.nullable(number),
  reason: v.optional(text),
  preset: text,
  options: jsonObject,
  curve: v.optional(curve),
  ratios: v.optional(v.array(v.strictTuple([number, number]))),
});

const record = v.variant('kind', [mapRecord, scoreRecord]);

const settings = v.object({
  fovea: text,
  model: v.object({ name: text, fingerprint: text, runtime: text, preprocessing: jsonObject }),
  dataset: v.object({
    name: text,
    protocol: v.array(text),
    options: jsonObject,
    index: v.optional(text),
  }),
  target: v.picklist(['ground-truth', 'recognised', 'predicted']),
  seed: number,
  methods: v.record(text, v.object({ method: text, options: jsonObject })),
  metrics: v.record(text, v.object({ metric: text, preset: text, options: jsonObject })),
});

function parse<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  whole: string,
): Checked<v.InferOutput<Schema>> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    return { problems: ['it is not JSON'] };
  }
  return checkJson(schema, value, whole);
}

/** Parses a line of the file of scores; returns the record, or its problems. */
export const parseRecord = (line: string): Checked<EvaluationRecord> =>
  parse(record, line, 'the line');

/** Parses the settings of a folder; returns them, or their problems. */
export const parseSettings = (text: string): Checked<Settings> => parse(settings, text, 'the file');
