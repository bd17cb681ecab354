import type { Dataset } from '../datasets/dataset.ts';
import type { Json } from '../json.ts';
import type { Method } from '../methods/method.ts';
import type { Curve, Metric, Score } from '../metrics/metric.ts';
import type { Model, ModelCalls } from '../model/model.ts';
import type { Target } from '../model/target.ts';

/** A method and the options it runs with. */
export interface BenchmarkMethod {
  readonly method: Method;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A metric, its protocol, and the options that differ from it. */
export interface BenchmarkMetric {
  /** Tells one metric under several protocols apart: `f1`, `f1:rows`. */
  readonly key: string;
  readonly metric: Metric;
  /** The metric's first one if not given. */
  readonly preset?: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * Which class is explained: the picture's label (of several classes that count as it, the
 * likeliest); the same, only of pictures that the model recognises, for which that class is the
 * likeliest of all; or the class that the model finds likeliest, whatever the label. All methods
 * get the same.
 */
export type TargetPolicy = 'ground-truth' | 'recognised' | 'predicted';

/** What is measured, and where the results go. */
export interface Benchmark {
  readonly model: Model;
  readonly dataset: Dataset;
  readonly methods: readonly BenchmarkMethod[];
  readonly metrics: readonly BenchmarkMetric[];
  readonly target: TargetPolicy;
  readonly seed: number;
  readonly folder: string;
  /** Names this part's file of scores, where several parts share the folder. */
  readonly part?: string;
  readonly batchSize?: number;
  readonly loadModel?: (source: string) => Promise<Model>;
  readonly signal?: AbortSignal;
}

/** One map that was made: a line of the file of scores. */
export interface MapRecord {
  readonly kind: 'map';
  readonly item: string;
  readonly method: string;
  readonly target: Target;
  /** What the data set calls the picture's class. */
  readonly label?: string;
  /** Names the map in the cache. */
  readonly cache: string;
  readonly modelCalls: ModelCalls;
  readonly seconds: number;
  /** Pixels above 0.3 of the map's range, for averages at pixel level. */
  readonly activatedPixels: number;
  /** The map in small, to compare maps by: means over a grid, rescaled to 0 … 255, row by row. */
  readonly sketch: readonly number[];
}

/** One score: a line of the file of scores. */
export interface ScoreRecord {
  readonly kind: 'score';
  readonly item: string;
  readonly method: string;
  /** The key of the metric. */
  readonly metric: string;
  readonly value: number | null;
  /** Why there is no value. */
  readonly reason?: string;
  readonly preset: string;
  readonly options: { readonly [option: string]: Json };
  readonly modelCalls: ModelCalls;
  readonly seconds: number;
  readonly curve?: Curve;
  /** For metrics that are summed up over the data set before they are divided. */
  readonly ratios?: Score['ratios'];
}

/** A line of the file of scores. */
export type BenchmarkRecord = MapRecord | ScoreRecord;
