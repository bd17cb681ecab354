import { type AnyOptions, parseOptions } from '../../options.ts';
import { ownEntry } from '../../own-entry.ts';
import type { Preprocessing } from '../input/preprocessing.ts';
import { preprocessingSchema, present } from './model-config.ts';

/**
 * Preprocessing as a caller gives it: each field in its own form, or as the text of a command line.
 */
export type PreprocessingInput = {
  readonly [Field in keyof Preprocessing]?: Preprocessing[Field] | string;
};

const preprocessing = { name: 'preprocessing', options: preprocessingSchema };

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
