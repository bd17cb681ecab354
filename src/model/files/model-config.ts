import * as v from 'valibot';
import { checkJson } from '../../check-json.ts';
import { FoveaError } from '../../errors.ts';
import type { ResizeFilter } from '../../image/resize.ts';
import { integer, number } from '../../options.ts';
import type { Preprocessing } from '../input/preprocessing.ts';
import { parseImageProcessor } from './hugging-face-processor.ts';
import { cleanLabels } from './labels.ts';

/** What the files beside a model say about it. What they do not say is absent, not undefined. */
export interface ModelConfig {
  labels?: string[];
  preprocessing?: Partial<Preprocessing>;
  /** True for a multi-label model: each class has a probability of its own. */
  independent?: boolean;
  /** What is only nearly so, one sentence each. */
  warnings: string[];
}

const filters = [
  'nearest',
  'box',
  'bilinear',
  'hamming',
  'bicubic',
  'lanczos',
] as const satisfies readonly ResizeFilter[];
const side = v.pipe(integer, v.gtValue(0), v.maxValue(16384));
const pair = v.strictTuple([side, side]);
const channelList = v.pipe(v.array(number), v.minLength(1), v.maxLength(3));
const divisors = v.pipe(
  channelList,
  v.check((list) => list.every((value) => value > 0), 'must be above 0'),
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
/** Unknown fields are ignored in files and refused from a caller. */
const preprocessingSchema = v.partial(v.object(preprocessingFields));
const strictPreprocessing = v.partial(v.strictObject(preprocessingFields));

const modelSchema = v.looseObject({
  labels: v.optional(v.pipe(v.array(v.string()), v.minLength(1))),
  input: v.optional(preprocessingSchema),
});

function parse<T extends v.GenericSchema>(
  schema: T,
  json: unknown,
  file: string,
): v.InferOutput<T> {
  const { value, problems } = checkJson(schema, json, 'the file');
  if (problems) throw new FoveaError('model', `${file}: ${problems.join('; ')}`);
  return value;
}

/**
 * Preprocessing that was computed from a file's fields: sizes can come out as 0 or without end, and
 * numbers as infinite, though each field by itself is allowed.
 */
function checked(preprocessing: Partial<Preprocessing>, file: string): Partial<Preprocessing> {
  parse(preprocessingSchema, preprocessing, file);
  return preprocessing;
}

/** Removes what is absent, so that a spread does not overwrite with undefined. */
function present<T extends object>(object: T): T {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && value !== null),
  ) as T;
}

/**
 * Reads a `NAME.json`: `{ labels, input: { size, mean, std, colour, scale, resize, shorterSide,
 * stretchedSize, filter } }`, where everything may be left out and everything else is ignored.
 * `file` names it in messages.
 * @throws FoveaError `model` naming the field that is wrong.
 */
export function parseModelJson(json: unknown, file = 'model.json'): ModelConfig {
  const { labels, input } = parse(modelSchema, json, file);
  return present({
    labels: labels && cleanLabels(labels),
    preprocessing: input && (present(input) as Partial<Preprocessing>),
    warnings: [],
  });
}

/** `0.5,0.25` as numbers, and `48x192` as height and width; what is neither stays as it is. */
function spelled(value: unknown, separator: RegExp): unknown {
  if (typeof value !== 'string') return value;
  const parts = value.split(separator).map((part) => part.trim());
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
  colour: (value) => COLOURS[String(value).toLowerCase()] ?? value,
};

const COLOURS: Readonly<Record<string, string>> = {
  ...{ rgb: 'RGB', bgr: 'BGR', grey: 'grey', gray: 'grey', l: 'grey' },
};

const one = (value: unknown): unknown =>
  Array.isArray(value) && value.length === 1 ? value[0] : value;

const many = (value: unknown): unknown => (typeof value === 'number' ? [value] : value);

/**
 * What people write on a command line in the form of the schema: `size=48x192`,
 * `mean=0.5,0.5,0.5`, `std=0.5` for all channels, `color=gray`.
 */
function normalized(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  const entries = Object.entries(json).map(([name, value]): [string, unknown] => {
    const key = name === 'color' ? 'colour' : name;
    return [key, Object.hasOwn(SPELLINGS, key) ? SPELLINGS[key]?.(value) : value];
  });
  const fields = Object.fromEntries(entries);
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
export function parsePreprocessing(json: unknown): Partial<Preprocessing> {
  const { value, problems } = checkJson(strictPreprocessing, normalized(json), 'all of it');
  if (problems) throw new FoveaError('usage', `preprocessing: ${problems.join('; ')}`);
  return present(value) as Partial<Preprocessing>;
}

const timmSchema = v.looseObject({
  input_size: v.nullish(v.pipe(v.array(side), v.length(3))),
  mean: v.nullish(channelList),
  std: v.nullish(divisors),
  interpolation: v.nullish(v.string()),
  crop_pct: v.nullish(v.pipe(number, v.gtValue(0), v.maxValue(1))),
  crop_mode: v.nullish(v.string()),
  label_names: v.nullish(v.array(v.string())),
  label_descriptions: v.nullish(v.record(v.string(), v.string())),
});

const configSchema = v.looseObject({
  problem_type: v.nullish(v.string()),
  model_type: v.nullish(v.string()),
  id2label: v.nullish(v.record(v.string(), v.union([v.string(), number]))),
  label2id: v.nullish(v.record(v.string(), v.union([v.string(), number]))),
  label_names: v.nullish(v.array(v.string())),
  label_descriptions: v.nullish(v.record(v.string(), v.string())),
  pretrained_cfg: v.nullish(timmSchema),
});

type Config = v.InferOutput<typeof configSchema>;

/** Labels in the order of their indices; JSON objects keep no such order by themselves. */
function orderedLabels(entries: readonly (readonly [id: number, label: string])[]): string[] {
  const labels: string[] = [];
  for (const [id, label] of entries) {
    if (!Number.isInteger(id) || id < 0 || id >= entries.length || labels[id] !== undefined) {
      throw new FoveaError(
        'model',
        `config.json: the labels (id2label, label2id) must be numbered 0 to ${entries.length - 1} once each, got ${id} ("${label}")`,
      );
    }
    labels[id] = label;
  }
  return labels;
}

function labelsOf(config: Config): string[] | undefined {
  const { id2label, label2id } = config;
  if (id2label && Object.keys(id2label).length > 0)
    return orderedLabels(
      Object.entries(id2label).map(([id, label]) => [Number(id), String(label)]),
    );
  if (label2id && Object.keys(label2id).length > 0)
    return orderedLabels(Object.entries(label2id).map(([label, id]) => [Number(id), label]));
  const names = config.label_names ?? config.pretrained_cfg?.label_names ?? undefined;
  const descriptions = config.label_descriptions ?? config.pretrained_cfg?.label_descriptions ?? {};
  return names?.map((name) => descriptions[name] ?? name);
}

/** timm resizes to size / crop_pct and cuts out the centre; `squash` stretches instead. */
function timmGeometry(
  cfg: v.InferOutput<typeof timmSchema>,
  warnings: string[],
): Partial<Preprocessing> {
  if (!cfg.input_size) return {};
  const [, height, width] = cfg.input_size;
  const size = [height, width] as const;
  const share = cfg.crop_pct ?? 0.875;
  const scaled = [Math.floor(height / share), Math.floor(width / share)] as const;
  if (cfg.crop_mode === 'squash')
    return share === 1
      ? { size, resize: 'stretch' }
      : { size, resize: 'crop', stretchedSize: scaled };
  if (cfg.crop_mode && cfg.crop_mode !== 'center')
    warnings.push(`config.json: pretrained_cfg.crop_mode ${cfg.crop_mode} is read as center`);
  if (height !== width)
    warnings.push(
      'config.json: pretrained_cfg has an input that is not square; the centre of the picture is cut out',
    );
  return { size, resize: 'crop', shorterSide: Math.max(...scaled) };
}

function timmPreprocessing(
  cfg: v.InferOutput<typeof timmSchema>,
  warnings: string[],
): Partial<Preprocessing> {
  const filter = cfg.interpolation ? filters.find((name) => name === cfg.interpolation) : undefined;
  if (cfg.interpolation && !filter)
    warnings.push(
      `config.json: pretrained_cfg.interpolation ${cfg.interpolation} is read as bilinear`,
    );
  const colour = cfg.input_size ? (cfg.input_size[0] === 1 ? 'grey' : 'RGB') : undefined;
  return present({
    ...timmGeometry(cfg, warnings),
    mean: cfg.mean ?? undefined,
    std: cfg.std ?? undefined,
    scale: '0-1' as const,
    colour,
    filter: filter ?? 'bilinear',
  });
}

/**
 * Reads the `config.json` and `preprocessor_config.json` of the Hugging Face layout, or of timm
 * (`pretrained_cfg`).
 * @throws FoveaError `model` if a file is malformed, `unsupported` if the model takes no pictures.
 */
export function parseHuggingFaceConfig(files: {
  readonly config?: unknown;
  readonly preprocessor?: unknown;
}): ModelConfig {
  const config =
    files.config === undefined ? undefined : parse(configSchema, files.config, 'config.json');
  const warnings: string[] = [];
  let preprocessing: Partial<Preprocessing> | undefined;
  if (files.preprocessor !== undefined) {
    const processor = parseImageProcessor(files.preprocessor, config?.model_type ?? undefined);
    warnings.push(...processor.warnings);
    preprocessing = checked(processor.preprocessing, 'preprocessor_config.json');
  } else if (config?.pretrained_cfg) {
    preprocessing = checked(
      timmPreprocessing(config.pretrained_cfg, warnings),
      'config.json: pretrained_cfg',
    );
  }
  const labels = config && labelsOf(config);
  const independent = config?.problem_type === 'multi_label_classification' || undefined;
  return present({
    labels: labels && cleanLabels(labels),
    preprocessing,
    independent,
    warnings,
  });
}
