import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import type { ResizeFilter } from '../../image/resize.ts';
import { integer, number } from '../../numbers.ts';
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
/** The fields of preprocessing. Unknown fields are ignored. */
export const preprocessingSchema = v.partial(v.object(preprocessingFields));

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
