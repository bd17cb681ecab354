import { averageRanks, mean } from '../tensor/statistics.ts';
import { kendallW } from './statistics.ts';
import type { Summary, SummaryCell, SummaryMetric } from './summarise.ts';

/** A score with three significant digits. */
export function formatScore(value: number): string {
  if (value === 0 || Math.abs(value) >= 0.001) return value.toFixed(Math.abs(value) >= 100 ? 1 : 3);
  return value.toExponential(1);
}

/** The cell of a method under a metric; undefined if the method has no map. */
export const cellOf = (
  { table }: Pick<Summary, 'table'>,
  method: string,
  metric: string,
): SummaryCell | undefined =>
  table.find((cell) => cell.method === method && cell.metric === metric);

/** Whether a method is a control; false for an unknown one. */
export const isControl = ({ methods }: Summary, method: string): boolean =>
  methods.some(({ name, isControl: control }) => control && name === method);

/** `3 of 4`, for numbers that cover fewer pictures than the summary; empty otherwise. */
export const coverage = (count: number, { pictures }: Pick<Summary, 'pictures'>): string =>
  count === pictures ? '' : `${count}\u00a0of\u00a0${pictures}`;

/**
 * Keys of the metrics under which every method has a score. Methods that have no score at all do
 * not count. If few methods have a score under a metric, every rank is good, so these ranks cannot
 * be compared.
 */
export function sharedMetrics({ metrics, table }: Summary): string[] {
  const scored = table.filter(({ value }) => value !== null);
  const methods = new Set(scored.map(({ method }) => method)).size;
  return metrics
    .map(({ key }) => key)
    .filter((key) => scored.filter(({ metric }) => metric === key).length === methods);
}

/**
 * Methods with the mean of their ranks under the metrics of `sharedMetrics`, the best method first.
 * The mean is Infinity if a method has no such rank.
 */
export function methodOrder(
  summary: Summary,
): { readonly method: string; readonly rank: number }[] {
  const shared = new Set(sharedMetrics(summary));
  const meanRank = (method: string) => {
    const ranks = summary.table.flatMap((cell) =>
      cell.method === method && cell.rank !== null && shared.has(cell.metric) ? [cell.rank] : [],
    );
    return ranks.length > 0 ? mean(ranks) : Number.POSITIVE_INFINITY;
  };
  return summary.cost
    .map(({ method }) => ({ method, rank: meanRank(method) }))
    .sort((a, b) => a.rank - b.rank);
}

/**
 * How far the metrics agree on the order of the methods: Kendall's W, 0 … 1, over the metrics in
 * which every method has a score. Controls are left out, because most metrics agree on these. null
 * for fewer than two such metrics or methods.
 */
export function metricAgreement(summary: Summary): number | null {
  const methods = summary.cost.map(({ method }) => method).filter((m) => !isControl(summary, m));
  const scored = methods.filter((method) =>
    summary.table.some((cell) => cell.method === method && cell.value !== null),
  );
  const shared = new Set(sharedMetrics(summary));
  const ranks = summary.metrics
    .filter(({ key }) => shared.has(key))
    .map(({ key, direction }) =>
      averageRanks(
        scored.map((method) => {
          const value = cellOf(summary, method, key)?.value ?? Number.NaN;
          return direction === 'higher' ? -value : value;
        }),
      ),
    );
  return kendallW(ranks);
}

/**
 * One warning for each metric that a control wins: such a metric cannot distinguish the methods.
 * The report and the command line show it.
 */
export function controlWarnings(summary: Summary): string[] {
  return summary.metrics.flatMap(({ key, wonBy }: SummaryMetric) => {
    if (wonBy === undefined) return [];
    const value = cellOf(summary, wonBy, key)?.value;
    const score = value == null ? '' : ` (${formatScore(value)})`;
    return [
      `${key} cannot distinguish the methods here: no method beats the control ${wonBy}${score}`,
    ];
  });
}
