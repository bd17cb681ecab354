import { dataSetLevel, imageLevel, pixelLevel } from '../metrics/index.ts';
import type { Metric } from '../metrics/metric.ts';
import { createRandom } from '../tensor/random.ts';
import type { Benchmark, BenchmarkMetric, MapRecord, ScoreRecord } from './benchmark.ts';
import type { Problem } from './run.ts';
import { type Settings, settingsOf } from './settings.ts';
import { bootstrapInterval, mean, meanInterval, ranksOf } from './statistics.ts';
import type { ScoreStore } from './store.ts';

/** One method under one metric, over all pictures. */
export interface SummaryCell {
  readonly method: string;
  readonly metric: string;
  /** The mean, or for metrics of the whole data set the ratio of sums; null where no picture has a score. */
  readonly value: number | null;
  /** 95% bootstrap interval. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Pictures with a score, and without one. */
  readonly count: number;
  readonly excluded: number;
  /** From 1; controls are ranked too. */
  readonly rank: number | null;
  /** Mean of the score per activated pixel (IASSA's pixel level). */
  readonly pixelLevel: number | null;
}

/** What a method costs a picture, on average. */
export interface SummaryCost {
  readonly method: string;
  readonly forward: number;
  readonly backward: number;
  readonly seconds: number;
}

/** A mean curve: x is the share of pixels changed, y the score. */
export interface SummaryCurve {
  readonly method: string;
  readonly metric: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** A metric as a table has to announce it. */
export interface SummaryMetric {
  readonly key: string;
  readonly title: string;
  readonly direction: Metric['direction'];
  readonly paper: string;
  readonly preset: string;
  readonly options: unknown;
  /** Whether values are ratios of sums over the data set. */
  readonly overDataSet: boolean;
}

/** All that a run comes to. */
export interface Summary {
  readonly settings: Settings;
  readonly pictures: number;
  readonly problems: readonly Problem[];
  readonly metrics: readonly SummaryMetric[];
  readonly table: readonly SummaryCell[];
  readonly cost: readonly SummaryCost[];
  readonly curves: readonly SummaryCurve[];
}

type Cells = Omit<SummaryCell, 'rank'>;

/** Whether the protocol sums over the data set before it divides. */
const isOverDataSet = (scores: readonly ScoreRecord[]): boolean => scores.some(({ ratios }) => ratios !== undefined);

function cellOf(method: string, metric: string, scores: readonly ScoreRecord[], maps: ReadonlyMap<string, MapRecord>): Cells {
  const samples = scores.map(({ item, value }) => ({ value, activatedPixels: maps.get(item)?.activatedPixels ?? 0 }));
  const scored = scores.filter((score) => score.value !== null);
  const values = scored.map(({ value }) => value as number);
  const level = isOverDataSet(scores) ? dataSetLevel(scores) : imageLevel(samples);
  const interval = isOverDataSet(scores)
    ? bootstrapInterval(scored.length, (drawn) => dataSetLevel(drawn.map((i) => scored[i])).value ?? Number.NaN, createRandom(0).fork('bootstrap'))
    : meanInterval(values);
  return {
    method,
    metric,
    value: level.value,
    interval: values.length > 0 ? interval : null,
    count: values.length,
    excluded: scores.length - values.length,
    pixelLevel: pixelLevel(samples).value,
  };
}

/** Ranks within each metric. */
function ranked(cells: readonly Cells[], metrics: readonly BenchmarkMetric[]): SummaryCell[] {
  return metrics.flatMap(({ key, metric }) => {
    const column = cells.filter((cell) => cell.metric === key);
    const ranks = ranksOf(
      column.map(({ value }) => value),
      metric.direction,
    );
    return column.map((cell, i) => ({ ...cell, rank: ranks[i] }));
  });
}

function costOf(method: string, maps: readonly MapRecord[]): SummaryCost {
  const average = (of: (record: MapRecord) => number) => (maps.length > 0 ? mean(maps.map(of)) : 0);
  return {
    method,
    forward: average(({ modelCalls }) => modelCalls.forward),
    backward: average(({ modelCalls }) => modelCalls.backward),
    seconds: average((record) => record.seconds),
  };
}

/** The mean of curves over the same points; curves over other points than the first are left out. */
function curveOf(method: string, metric: string, scores: readonly ScoreRecord[]): SummaryCurve[] {
  const curves = scores.flatMap(({ curve }) => (curve ? [curve] : []));
  if (curves.length === 0) return [];
  const { x } = curves[0];
  const same = curves.filter((curve) => curve.x.length === x.length);
  return [{ method, metric, x, y: x.map((_, i) => mean(same.map(({ y }) => y[i]))) }];
}

/** Groups records by method, and by metric where they have one. */
function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

/** Puts the scores of a benchmark's samples, methods and metrics together; what else the store holds is left out. */
export function summarise(benchmark: Benchmark, store: ScoreStore, problems: readonly Problem[]): Summary {
  const { dataset, methods, metrics } = benchmark;
  const items = new Set(Array.from({ length: dataset.length }, (_, i) => dataset.idOf(i)));
  const maps = groupBy(
    store.maps().filter(({ item }) => items.has(item)),
    ({ method }) => method,
  );
  const scores = groupBy(
    store.scores().filter(({ item }) => items.has(item)),
    ({ method, metric }) => JSON.stringify([method, metric]),
  );
  const names = methods.map(({ method }) => method.name).filter((name) => maps.has(name));
  const scoresOf = (method: string, metric: string) => scores.get(JSON.stringify([method, metric])) ?? [];
  const pairs = metrics.flatMap(({ key }) => names.map((name) => [name, key] as const));
  const byItem = new Map(names.map((name) => [name, new Map(maps.get(name)?.map((map) => [map.item, map]))]));
  const cells = pairs.map(([method, metric]) => cellOf(method, metric, scoresOf(method, metric), byItem.get(method) ?? new Map()));
  const settings = settingsOf(benchmark);
  return {
    settings,
    pictures: new Set([...maps.values()].flat().map(({ item }) => item)).size,
    problems,
    metrics: metrics.map(({ key, metric }) => ({
      key,
      title: metric.title,
      direction: metric.direction,
      paper: metric.paper,
      ...settings.metrics[key],
      overDataSet: names.some((name) => isOverDataSet(scoresOf(name, key))),
    })),
    table: ranked(cells, metrics),
    cost: names.map((name) => costOf(name, maps.get(name) ?? [])),
    curves: pairs.flatMap(([method, metric]) => curveOf(method, metric, scoresOf(method, metric))),
  };
}
