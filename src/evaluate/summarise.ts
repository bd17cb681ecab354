import { curveLevel, dataSetLevel, imageLevel, pixelLevel } from '../metrics/index.ts';
import type { CurveAxes, Metric, ScoreLevel } from '../metrics/metric.ts';
import { mean } from '../tensor/statistics.ts';
import type { Evaluation, EvaluationMetric, MapRecord, ScoreRecord } from './records.ts';
import type { Problem } from './run.ts';
import { NO_MASK } from './score-sample.ts';
import { type Settings, settingsOf } from './settings.ts';
import { bootstrapInterval, meanInterval, medianAreaInterval, ranksOf } from './statistics.ts';
import type { ScoreStore } from './store.ts';

/** One method under one metric, over all pictures. */
export interface SummaryCell {
  readonly method: string;
  readonly metric: string;
  /** The score by the metric's level; null if no picture has a score. */
  readonly value: number | null;
  /** 95% bootstrap interval. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Pictures with a score, and without one. */
  readonly count: number;
  readonly excluded: number;
  /** From 1 for the best; controls have ranks too. */
  readonly rank: number | null;
  /** Mean of the score per activated pixel (IASSA's pixel level). */
  readonly pixelLevel: number | null;
}

/** What a method costs per picture, on average. */
export interface SummaryCost {
  readonly method: string;
  /** Pictures that the method has a map for. */
  readonly pictures: number;
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

/** A method as a table shows it. */
export interface SummaryMethod {
  /** The name of its row. */
  readonly name: string;
  /** The name of the method. */
  readonly method: string;
  readonly title: string;
  readonly paper: string;
  /** Whether the method is a control: it ignores the model or the picture, for comparison. */
  readonly isControl: boolean;
}

/** A metric as a table shows it. */
export interface SummaryMetric {
  readonly key: string;
  /**
   * A control that scores at least as well as every other method, if there is one. The metric then
   * cannot distinguish the methods.
   */
  readonly wonBy?: string;
  readonly title: string;
  readonly direction: Metric['direction'];
  readonly paper: string;
  readonly preset: string;
  readonly options: unknown;
  readonly level: ScoreLevel;
  /** The axes of its curves, if the metric has curves. */
  readonly axes?: CurveAxes;
}

/** The results of an evaluation. */
export interface Summary {
  readonly settings: Settings;
  readonly pictures: number;
  /** Number of pictures without a mask, if a metric needs masks. */
  readonly maskless: number;
  readonly problems: readonly Problem[];
  /** Every requested method, including methods without a map. */
  readonly methods: readonly SummaryMethod[];
  readonly metrics: readonly SummaryMetric[];
  readonly table: readonly SummaryCell[];
  readonly cost: readonly SummaryCost[];
  readonly curves: readonly SummaryCurve[];
}

type Cells = Omit<SummaryCell, 'rank'>;

/** The score over pictures that all have a score. */
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
    (drawn) => dataSetLevel(Array.from(drawn).flatMap((i) => scores[i] ?? [])).value ?? Number.NaN,
  );
}

function cellOf(
  method: string,
  metric: EvaluationMetric,
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
function ranked(cells: readonly Cells[], metrics: readonly EvaluationMetric[]): SummaryCell[] {
  return metrics.flatMap(({ key, metric }) => {
    const column = cells.filter((cell) => cell.metric === key);
    const ranks = ranksOf(
      column.map(({ value }) => value),
      metric.direction,
    );
    return column.map((cell, i) => ({ ...cell, rank: ranks[i] ?? null }));
  });
}

function costOf(method: string, maps: readonly MapRecord[]): SummaryCost {
  const average = (of: (record: MapRecord) => number) => (maps.length > 0 ? mean(maps.map(of)) : 0);
  return {
    method,
    pictures: maps.length,
    forward: average(({ modelCalls }) => modelCalls.forward),
    backward: average(({ modelCalls }) => modelCalls.backward),
    seconds: average((record) => record.seconds),
  };
}

/**
 * The mean curve, or the median if the protocol says so; none if the curves of pictures have
 * different points.
 */
function curveOf(
  method: string,
  metric: EvaluationMetric,
  scores: readonly ScoreRecord[],
): SummaryCurve[] {
  const scored = scores.filter(({ curve, value }) => curve && value !== null);
  const isSame = scored.every(
    ({ curve }) => JSON.stringify(curve?.x) === JSON.stringify(scored[0]?.curve?.x),
  );
  const { curve } = isSame
    ? curveLevel(scored, metric.metric.level === 'median-curve' ? 'median' : 'mean')
    : { curve: null };
  return curve ? [{ method, metric: metric.key, x: curve.x, y: curve.y }] : [];
}

/** Groups records by what `keyOf` returns, in their order. */
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

/** The records of the samples of a data set, by method and metric, in the order of its samples. */
function collect({ dataset }: Evaluation, store: ScoreStore) {
  // Sums of floats depend on the order, so records are in the order of the data set.
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
  return {
    maps,
    mapsOf: (method: string) => maps.get(method) ?? [],
    scoresOf: (method: string, metric: string) =>
      scores.get(JSON.stringify([method, metric])) ?? [],
  };
}

/** The control that no method beats under a metric; undefined if there is none. */
function winningControl(
  cells: readonly SummaryCell[],
  controls: ReadonlySet<string>,
): string | undefined {
  const rankOf = ({ rank }: SummaryCell) => rank ?? Number.POSITIVE_INFINITY;
  const scored = cells.filter(({ value }) => value !== null);
  const others = scored.filter(({ method }) => !controls.has(method)).map(rankOf);
  const [best] = scored
    .filter(({ method }) => controls.has(method))
    .sort((a, b) => rankOf(a) - rankOf(b));
  return best && others.length > 0 && rankOf(best) <= Math.min(...others) ? best.method : undefined;
}

const methodsOf = ({ methods }: Evaluation): SummaryMethod[] =>
  methods.map(({ name, method }) => ({
    name,
    method: method.name,
    title: method.title,
    paper: method.paper,
    isControl: method.family === 'control',
  }));

function metricsOf(
  { metrics }: Evaluation,
  table: readonly SummaryCell[],
  methods: readonly SummaryMethod[],
): SummaryMetric[] {
  const controls = new Set(methods.flatMap(({ name, isControl }) => (isControl ? [name] : [])));
  return metrics.map(({ key, metric, preset, options }) => {
    const { title, direction, paper, level, axes } = metric;
    const column = table.filter((cell) => cell.metric === key);
    const wonBy = winningControl(column, controls);
    const flag = wonBy === undefined ? {} : { wonBy };
    return { key, title, direction, paper, preset, options, level, axes, ...flag };
  });
}

/**
 * Summarizes the scores of the samples, methods and metrics of an evaluation. Other records of the
 * store are ignored.
 */
export function summarise(
  evaluation: Evaluation,
  store: ScoreStore,
  problems: readonly Problem[],
): Summary {
  const { maps, mapsOf, scoresOf } = collect(evaluation, store);
  const methods = methodsOf(evaluation);
  const names = methods.map(({ name }) => name).filter((name) => maps.has(name));
  const byItem = new Map(
    names.map((name) => [name, new Map(mapsOf(name).map((map) => [map.item, map]))]),
  );
  const pairs = evaluation.metrics.flatMap((metric) =>
    names.map((name) => [name, metric] as const),
  );
  const cells = pairs.map(([name, metric]) =>
    cellOf(name, metric, scoresOf(name, metric.key), byItem.get(name) ?? new Map()),
  );
  const table = ranked(cells, evaluation.metrics);
  return {
    settings: settingsOf(evaluation),
    pictures: new Set(names.flatMap((name) => mapsOf(name).map(({ item }) => item))).size,
    maskless: new Set(
      pairs.flatMap(([name, { key }]) =>
        scoresOf(name, key).flatMap(({ item, reason }) => (reason === NO_MASK ? [item] : [])),
      ),
    ).size,
    problems,
    methods,
    metrics: metricsOf(evaluation, table, methods),
    table,
    cost: names.map((name) => costOf(name, mapsOf(name))),
    curves: pairs.flatMap(([name, metric]) => curveOf(name, metric, scoresOf(name, metric.key))),
  };
}
