import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import type { ResizeFilter } from '../../image/resize.ts';
import { type AnyOptions, integer, number, parseOptions } from '../../options.ts';
import { ownEntry } from '../../own-entry.ts';
import type { Preprocessing } from '../input/preprocessing.ts';
import { cleanLabels } from './labels.ts';

/** Facts about a model from the files beside it. A missing fact is absent, not undefined. */
export interface ModelConfig {
  labels?: string[];
  preprocessing?: Partial<Preprocessing>;
  /** True for a multi-label model: each class has its own probability. */
  independent?: boolean;
  /** Differences between a file and what Fovea does, one sentence each. */
  warnings: string[];
}

/** Filters that a file may name. */
export const filters = [
  'nearest',
  'box',
  'bilinear',
  'hamming',
  'bicubic',
  'lanczos',
] as const satisfies readonly ResizeFilter[];
/** A side of a picture, in pixels. */
export const side = v.pipe(integer, v.minValue(1), v.maxValue(16384));
const pair = v.strictTuple([side, side]);
/** One number per channel. */
export const channelList = v.pipe(v.array(number), v.minLength(1), v.maxLength(3));
/** One standard deviation per channel. */
export const divisors = v.pipe(
  v.array(v.pipe(number, v.gtValue(0))),
  v.minLength(1),
  v.maxLength(3),
);

const preprocessingFields = {
  size: v.union([
    pair,
    v.pipe(
      side,
      v.transform((value): [number, number] => [value, value]),
    ),
  ]),
  mean: channelList,
  std: divisors,
  colour: v.picklist(['RGB', 'BGR', 'grey']),
  scale: v.picklist(['0-1', '0-255']),
  resize: v.picklist(['stretch', 'crop']),
  shorterSide: side,
  stretchedSize: pair,
  filter: v.picklist(filters),
};
/**
 * Preprocessing as a caller gives it: each field in its own form, or as the text of a command line.
 */
export type PreprocessingInput = {
  readonly [Field in keyof Preprocessing]?: Preprocessing[Field] | string;
};

/** Unknown fields are ignored in files and refused from a caller. */
export const preprocessingSchema = v.partial(v.object(preprocessingFields));
const preprocessing = { name: 'preprocessing', options: v.partial(v.object(preprocessingFields)) };

const modelSchema = v.looseObject({
  labels: v.optional(v.pipe(v.array(v.string()), v.minLength(1))),
  input: v.optional(preprocessingSchema),
});

/**
 * Checks the JSON of a file against a schema.
 * @throws FoveaError `model` naming the file and the fields that are wrong.
 */
export function parseFields<T extends v.GenericSchema>(
  schema: T,
  json: unknown,
  file: string,
): v.InferOutput<T> {
  const { value, problems } = checkJson(schema, json, 'the file');
  if (problems) throw new FoveaError('model', `${file}: ${problems.join('; ')}`);
  return value;
}

/** Removes fields that are undefined or null, so that a spread does not overwrite with them. */
export function present<T extends object>(object: T): T {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && value !== null),
  ) as T;
}

/**
 * Reads a `NAME.json` with the fields `labels` and `input`. The fields of `input` are `size`,
 * `mean`, `std`, `colour`, `scale`, `resize`, `shorterSide`, `stretchedSize` and `filter`. Every
 * field is optional, and unknown fields are ignored. `file` is the name of the file in messages.
 * @throws FoveaError `model` if a field is wrong. The message names the field.
 */
export function parseModelJson(json: unknown, file = 'model.json'): ModelConfig {
  const { labels, input } = parseFields(modelSchema, json, file);
  return present({
    labels: labels && cleanLabels(labels),
    preprocessing: input && (present(input) as Partial<Preprocessing>),
    warnings: [],
  });
}

/**
 * `0.5,0.25` or `[0.5, 0.25]` as numbers, and `48x192` as height and width; any other text is
 * unchanged.
 */
function spelled(value: unknown, separator: RegExp): unknown {
  if (typeof value !== 'string') return value;
  const [, list = value] = /^\[(.*)\]$/s.exec(value) ?? [];
  const parts = list.split(separator).map((part) => part.trim());
  return parts.every((part) => part !== '' && Number.isFinite(Number(part)))
    ? parts.map(Number)
    : value;
}

const SPELLINGS: Readonly<Record<string, (value: unknown) => unknown>> = {
  size: (value) => one(spelled(value, /[x×,]/i)),
  stretchedSize: (value) => one(spelled(value, /[x×,]/i)),
  shorterSide: (value) => one(spelled(value, /,/)),
  mean: (value) => many(spelled(value, /,/)),
  std: (value) => many(spelled(value, /,/)),
  colour: (value) =>
    ownEntry(COLOURS, typeof value === 'string' ? value.toLowerCase() : '') ?? value,
};

const same = (value: unknown): unknown => value;

const COLOURS: Readonly<Record<string, string>> = {
  ...{ rgb: 'RGB', bgr: 'BGR', grey: 'grey', gray: 'grey', l: 'grey' },
};

const one = (value: unknown): unknown =>
  Array.isArray(value) && value.length === 1 ? value[0] : value;

const many = (value: unknown): unknown => (typeof value === 'number' ? [value] : value);

/**
 * Converts the text forms of a command line to the form of the schema: `size=48x192`,
 * `mean=0.5,0.5,0.5`, `std=0.5` for all channels, `color=gray`.
 */
function normalized(given: AnyOptions): AnyOptions {
  const entries = Object.entries(given).map(([name, value]): [string, unknown] => {
    const key = name === 'color' ? 'colour' : name;
    return [key, (ownEntry(SPELLINGS, key) ?? same)(value)];
  });
  const fields: Record<string, unknown> = Object.fromEntries(entries);
  const channels = fields.colour === 'grey' ? 1 : 3;
  for (const key of ['mean', 'std']) {
    const list = fields[key];
    if (Array.isArray(list) && list.length === 1 && channels > 1)
      fields[key] = Array.from({ length: channels }, () => list[0]);
  }
  return fields;
}

/**
 * Preprocessing as a caller or a command line gives it. Numbers may be spelled as text:
 * `48x192` (height and width), `0.5,0.5,0.5`.
 * @throws FoveaError `usage` naming the field that is wrong.
 */
export function parsePreprocessing(given: AnyOptions): Partial<Preprocessing> {
  return present(parseOptions(preprocessing, normalized(given)));
}
