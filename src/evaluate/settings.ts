import type { Json } from '../json.ts';
import { VERSION } from '../version.ts';
import type { Evaluation, TargetPolicy } from './records.ts';

/** The settings behind the scores of a folder. A run that adds scores must have the same. */
export interface Settings {
  readonly fovea: string;
  readonly model: {
    readonly name: string;
    readonly fingerprint: string;
    readonly runtime: string;
    readonly preprocessing: Json;
  };
  /** `index` is the SHA-256 of the file that holds its labels or masks. */
  readonly dataset: {
    readonly name: string;
    readonly protocol: readonly string[];
    readonly options: Json;
    readonly index?: string;
  };
  readonly target: TargetPolicy;
  readonly seed: number;
  /** Method and complete options of each row, by its name. */
  readonly methods: {
    readonly [row: string]: { readonly method: string; readonly options: Json };
  };
  /** Metric, protocol and complete options of each column, by its key. */
  readonly metrics: {
    readonly [column: string]: {
      readonly metric: string;
      readonly preset: string;
      readonly options: Json;
    };
  };
}

const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;

/** The settings of an evaluation. */
export function settingsOf(evaluation: Evaluation): Settings {
  const { model, dataset, methods, metrics, target, seed } = evaluation;
  const { name, fingerprint, runtime, preprocessing } = model;
  return {
    fovea: VERSION,
    model: { name, fingerprint, runtime, preprocessing: plain(preprocessing) },
    dataset: {
      name: dataset.name,
      protocol: dataset.protocol,
      options: plain(dataset.options ?? {}),
      index: dataset.index,
    },
    target,
    seed,
    methods: Object.fromEntries(
      methods.map((each) => [
        each.name,
        { method: each.method.name, options: plain(each.options) },
      ]),
    ),
    metrics: Object.fromEntries(
      metrics.map(({ key, metric, preset, options }) => [
        key,
        { metric: metric.name, preset, options: plain(options) },
      ]),
    ),
  };
}
