import type { Dataset } from '../datasets/dataset.ts';
import type { Json } from '../json.ts';
import type { Method } from '../methods/method.ts';
import type { Curve, Metric, Score } from '../metrics/metric.ts';
import type { Model, ModelCalls } from '../model/model.ts';
import type { Target } from '../model/target.ts';
import type { AnyOptions } from '../options.ts';

/** A method, its parsed options, and the name of its row. */
export interface EvaluationMethod {
  /** A name for the method with these options; the method's own name by default. */
  readonly name: string;
  readonly method: Method;
  /** Complete options. */
  readonly options: AnyOptions;
}

/** A metric, its parsed options, and the name of its column. */
export interface EvaluationMetric {
  /** A name for the metric under this protocol: `f1`, `f1:chefer-2021-rows`. */
  readonly key: string;
  readonly metric: Metric;
  /** The preset with exactly these options; `custom` if there is none. */
  readonly preset: string;
  /** Complete options. */
  readonly options: AnyOptions;
}

/**
 * Which class to explain. `ground-truth`: the label (the most probable of several classes that
 * count as it). `recognised`: the same, but pictures that the model takes for something else are
 * left out. `predicted`: the model's top class. All methods get the same class.
 */
export type TargetPolicy = 'ground-truth' | 'recognised' | 'predicted';

/** An evaluation: what it measures, and where its results go. */
export interface Evaluation {
  readonly model: Model;
  /** Finite. */
  readonly dataset: Dataset;
  /** Each with its own name. */
  readonly methods: readonly EvaluationMethod[];
  /** Each with its own key. */
  readonly metrics: readonly EvaluationMetric[];
  readonly target: TargetPolicy;
  readonly seed: number;
  /** Nothing is written without it. */
  readonly folder?: string;
  /** Names this part's file of scores, if several parts share the folder. */
  readonly part?: string;
  readonly batchSize?: number;
  readonly loadModel?: (source: string) => Promise<Model>;
  readonly signal?: AbortSignal;
}

/** One map that was made: a line of the file of scores. */
export interface MapRecord {
  readonly kind: 'map';
  readonly item: string;
  /** The name of the method's row. */
  readonly method: string;
  readonly target: Target;
  /** The picture's label in the data set. */
  readonly label?: string;
  /** The key of the map in the cache. */
  readonly cache: string;
  readonly modelCalls: ModelCalls;
  readonly seconds: number;
  /** Pixels above 0.3 of the map's range, for averages at pixel level. */
  readonly activatedPixels: number;
  /**
   * A small copy of the map for comparisons: means over a grid, rescaled to 0 … 255, row by row.
   */
  readonly sketch: readonly number[];
}

/** One score: a line of the file of scores. */
export interface ScoreRecord {
  readonly kind: 'score';
  readonly item: string;
  /** The name of the method's row. */
  readonly method: string;
  /** The key of the metric's column. */
  readonly metric: string;
  readonly value: number | null;
  /** Why there is no value. */
  readonly reason?: string;
  readonly preset: string;
  readonly options: { readonly [option: string]: Json };
  readonly modelCalls: ModelCalls;
  readonly seconds: number;
  readonly curve?: Curve;
  /** For metrics that sum over the data set before they divide. */
  readonly ratios?: Score['ratios'];
}

/** A line of the file of scores. */
export type EvaluationRecord = MapRecord | ScoreRecord;
