import { curveLevel, dataSetLevel, imageLevel, pixelLevel } from '../metrics/index.ts';
import type { CurveAxes, Metric, ScoreLevel } from '../metrics/metric.ts';
import { mean } from '../tensor/statistics.ts';
import type { Benchmark, BenchmarkMetric, MapRecord, ScoreRecord } from './records.ts';
import type { Problem } from './run.ts';
import { type Settings, settingsOf } from './settings.ts';
import { bootstrapInterval, meanInterval, medianAreaInterval, ranksOf } from './statistics.ts';
import type { ScoreStore } from './store.ts';

/** One method under one metric, over all pictures. */
export interface SummaryCell {
  readonly method: string;
  readonly metric: string;
  /** By the metric's level; null where no picture has a score. */
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

/** A mean curve, over the axes of its metric. */
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
  readonly level: ScoreLevel;
  /** Of its curves, where it has some. */
  readonly axes?: CurveAxes;
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

/** The score of a set of pictures that all have one. */
function scoreOf(level: ScoreLevel, scores: readonly ScoreRecord[]): number | null {
  const levels = { mean: imageLevel, 'data-set': dataSetLevel, 'median-curve': curveLevel };
  return levels[level](scores).value;
}

function intervalOf(
  level: ScoreLevel,
  scores: readonly ScoreRecord[],
): [low: number, high: number] | null {
  if (scores.length === 0) return null;
  if (level === 'mean') return meanInterval(scores.map(({ value }) => value as number));
  if (level === 'median-curve')
    return medianAreaInterval(scores.flatMap(({ curve }) => curve ?? []));
  return bootstrapInterval(
    scores.length,
    (drawn) => dataSetLevel(Array.from(drawn, (i) => scores[i])).value ?? Number.NaN,
  );
}

function cellOf(
  method: string,
  metric: BenchmarkMetric,
  scores: readonly ScoreRecord[],
  maps: ReadonlyMap<string, MapRecord>,
): Cells {
  const scored = scores.filter((score) => score.value !== null);
  const { level } = metric.metric;
  return {
    method,
    metric: metric.key,
    value: scoreOf(level, scored),
    interval: intervalOf(level, scored),
    count: scored.length,
    excluded: scores.length - scored.length,
    pixelLevel: pixelLevel(
      scores.map(({ item, value }) => ({
        value,
        activatedPixels: maps.get(item)?.activatedPixels ?? 0,
      })),
    ).value,
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

/**
 * The mean curve, or the median where the protocol has that; none where pictures have curves over
 * different points.
 */
function curveOf(
  method: string,
  metric: BenchmarkMetric,
  scores: readonly ScoreRecord[],
): SummaryCurve[] {
  const scored = scores.filter(({ curve, value }) => curve && value !== null);
  const isSame = scored.every(
    ({ curve }) => JSON.stringify(curve?.x) === JSON.stringify(scored[0].curve?.x),
  );
  const { curve } = isSame
    ? curveLevel(scored, metric.metric.level === 'median-curve' ? 'median' : 'mean')
    : { curve: null };
  return curve ? [{ method, metric: metric.key, x: curve.x, y: curve.y }] : [];
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

/**
 * Puts the scores of a benchmark's samples, methods and metrics together; what else the store holds
 * is left out.
 */
export function summarise(
  benchmark: Benchmark,
  store: ScoreStore,
  problems: readonly Problem[],
): Summary {
  const { dataset, methods, metrics } = benchmark;
  // In the order of the data set, whatever the order of the run: sums of floats depend on it.
  const place = new Map(
    Array.from({ length: dataset.length }, (_, i) => [dataset.idOf(i), i] as const),
  );
  const ordered = <Item extends { readonly item: string }>(records: readonly Item[]): Item[] =>
    records
      .filter(({ item }) => place.has(item))
      .sort((a, b) => (place.get(a.item) ?? 0) - (place.get(b.item) ?? 0));
  const maps = groupBy(ordered(store.maps()), ({ method }) => method);
  const scores = groupBy(ordered(store.scores()), ({ method, metric }) =>
    JSON.stringify([method, metric]),
  );
  const names = methods.map(({ method }) => method.name).filter((name) => maps.has(name));
  const scoresOf = (method: string, metric: string) =>
    scores.get(JSON.stringify([method, metric])) ?? [];
  const pairs = metrics.flatMap((metric) => names.map((name) => [name, metric] as const));
  const byItem = new Map(
    names.map((name) => [name, new Map(maps.get(name)?.map((map) => [map.item, map]))]),
  );
  const cells = pairs.map(([method, metric]) =>
    cellOf(method, metric, scoresOf(method, metric.key), byItem.get(method) ?? new Map()),
  );
  const settings = settingsOf(benchmark);
  return {
    settings,
    pictures: new Set([...maps.values()].flat().map(({ item }) => item)).size,
    problems,
    metrics: metrics.map((each) => {
      const { title, direction, paper, level, axes } = each.metric;
      return { key: each.key, title, direction, paper, ...settings.metrics[each.key], level, axes };
    }),
    table: ranked(cells, metrics),
    cost: names.map((name) => costOf(name, maps.get(name) ?? [])),
    curves: pairs.flatMap(([method, metric]) =>
      curveOf(method, metric, scoresOf(method, metric.key)),
    ),
  };
}
