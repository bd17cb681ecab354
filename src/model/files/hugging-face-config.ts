import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { number } from '../../numbers.ts';
import { ownEntry } from '../../own-entry.ts';
import { at } from '../../tensor/at.ts';
import type { Preprocessing } from '../input/preprocessing.ts';
import { parseImageProcessor } from './hugging-face-processor.ts';
import { cleanLabels } from './labels.ts';
import {
  channelList,
  divisors,
  filters,
  type ModelConfig,
  parseFields,
  preprocessingSchema,
  present,
  side,
} from './model-config.ts';

/**
 * Checks preprocessing that was computed from a file's fields. Sizes can be 0 or too large, and
 * numbers infinite, although each field is allowed.
 */
function checked(preprocessing: Partial<Preprocessing>, file: string): Partial<Preprocessing> {
  parseFields(preprocessingSchema, preprocessing, file);
  return preprocessing;
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

/** Labels in the order of their indices; the keys of a JSON object may have another order. */
function orderedLabels(entries: readonly (readonly [id: number, label: string])[]): string[] {
  const labels: string[] = [];
  for (const [id, label] of entries) {
    if (!Number.isInteger(id) || id < 0 || id >= entries.length || labels[id] !== undefined) {
      throw new FoveaError(
        'model',
        'config.json: the labels (id2label, label2id) must be numbered 0 to ' +
          `${entries.length - 1} once each, got ${id} ("${label}")`,
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
  return names?.map((name) => ownEntry(descriptions, name) ?? name);
}

/** The geometry of timm: resize to size / crop_pct, then a centre crop; `squash` stretches. */
function timmGeometry(
  cfg: v.InferOutput<typeof timmSchema>,
  warnings: string[],
): Partial<Preprocessing> {
  if (!cfg.input_size) return {};
  const [height, width] = [at(cfg.input_size, 1), at(cfg.input_size, 2)];
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
      'config.json: pretrained_cfg has an input that is not square; the centre of the ' +
        'picture is cut out',
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
 * @throws FoveaError `model` if a file is malformed, `unsupported` if the model does not take
 * pictures.
 */
export function parseHuggingFaceConfig(files: {
  readonly config?: unknown;
  readonly preprocessor?: unknown;
}): ModelConfig {
  const config =
    files.config === undefined ? undefined : parseFields(configSchema, files.config, 'config.json');
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
