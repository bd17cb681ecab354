import { plural } from '../plural.ts';
import { seriesStyles } from '../visualize/line-chart.ts';
import type { ReportChart, ReportTable, ReportValue } from '../visualize/report.ts';
import {
  cellOf,
  controlWarnings,
  coverage,
  formatScore,
  isControl,
  methodOrder,
  metricAgreement,
  sharedMetrics,
} from './ranking.ts';
import { ranksOf } from './statistics.ts';
import type { Summary, SummaryCell, SummaryMetric } from './summarise.ts';

const arrow = (direction: 'higher' | 'lower'): string => (direction === 'higher' ? '↑' : '↓');

/** The title of a metric's column. `⚠` marks a metric that a control wins. */
const heading = ({ key, direction, wonBy }: SummaryMetric): string =>
  `${key}\u00a0${arrow(direction)}${wonBy === undefined ? '' : '\u00a0⚠'}`;

/**
 * The name of a method, with notes if it is a control or has maps of fewer pictures than others.
 */
function methodName(summary: Summary, method: string): string {
  const count = summary.cost.find((cost) => cost.method === method)?.pictures ?? 0;
  const fewer = coverage(count, summary);
  const notes = [
    ...(isControl(summary, method) ? ['control'] : []),
    ...(fewer === '' ? [] : [`${fewer} pictures`]),
  ];
  return notes.length === 0 ? method : `${method} (${notes.join(', ')})`;
}

const rankValue = (rank: number | undefined): ReportValue =>
  rank !== undefined && Number.isFinite(rank) ? { value: rank, text: rank.toFixed(1) } : '–';

/** The metrics that the mean rank covers, in words. */
function rankNote(summary: Summary): string {
  const shared = sharedMetrics(summary);
  const others = summary.metrics.map(({ key }) => key).filter((key) => !shared.includes(key));
  return others.length === 0
    ? 'all metrics'
    : `the metrics in which every method has a score, so not over ${others.join(', ')}`;
}

/** The text below a score: its parts that are not empty. */
const details = (...parts: readonly string[]): string =>
  parts.filter((part) => part !== '').join(' · ');

function scoreValue(summary: Summary, cell: SummaryCell | undefined): ReportValue {
  if (!cell || cell.value === null) return '–';
  const interval = cell.interval
    ? `${formatScore(cell.interval[0])}\u00a0…\u00a0${formatScore(cell.interval[1])}`
    : '';
  return {
    value: cell.value,
    text: formatScore(cell.value),
    detail: details(interval, `#${cell.rank}`, coverage(cell.count, summary)),
  };
}

/** Metrics per table: as many as fit the width of a page. */
const COLUMNS = 5;

/** Splits the metrics over several tables, so that no table is wider than a printed page. */
function inTables(
  { metrics }: Summary,
  table: (metrics: readonly SummaryMetric[], isLast: boolean) => ReportTable,
): ReportTable[] {
  const starts = Array.from({ length: Math.ceil(metrics.length / COLUMNS) }, (_, i) => i * COLUMNS);
  return starts.map((from) =>
    table(metrics.slice(from, from + COLUMNS), from + COLUMNS >= metrics.length),
  );
}

/** How far the metrics agree, in words; nothing if there is only one metric or method. */
function agreementSentence(summary: Summary): string[] {
  const agreement = metricAgreement(summary);
  if (agreement === null) return [];
  return [
    `Agreement of the metrics on the order of the methods: Kendall's W ${agreement.toFixed(2)} ` +
      '(0 none, 1 the same order in every metric)',
  ];
}

function scoreNote(summary: Summary): string {
  const controls = summary.methods.flatMap((each) => (each.isControl ? [each.name] : []));
  const sentences = [
    '↑ higher is better, ↓ lower is better; ● best of its column, controls left out',
    `The mean rank is over ${rankNote(summary)}`,
    ...agreementSentence(summary),
    ...(controls.length > 0
      ? [
          `The controls (${controls.join(', ')}) ignore picture and model: ` +
            'a method that does not beat them shows nothing',
        ]
      : []),
    ...controlWarnings(summary).map((warning) => `⚠ ${warning}`),
    'Methods whose intervals overlap widely do not differ',
  ];
  return `${sentences.join('. ')}.`;
}

function scoreTable(
  summary: Summary,
  metrics: readonly SummaryMetric[],
  isLast: boolean,
): ReportTable {
  const order = methodOrder(summary);
  const pictures = plural(summary.pictures, 'picture');
  return {
    caption:
      `${pictures}; below each score: 95% bootstrap interval, rank, and pictures if fewer ` +
      'have a score',
    columns: [
      { title: 'method' },
      ...metrics.map((metric) => ({
        title: heading(metric),
        best: metric.direction === 'higher' ? ('highest' as const) : ('lowest' as const),
      })),
      { title: 'mean rank', best: 'lowest' },
    ],
    rows: order.map(({ method, rank }) => [
      methodName(summary, method),
      ...metrics.map(({ key }) => scoreValue(summary, cellOf(summary, method, key))),
      rankValue(rank),
    ]),
    neverBest: order.flatMap(({ method }, row) => (isControl(summary, method) ? [row] : [])),
    ...(isLast && { note: scoreNote(summary) }),
  };
}

/** The scores of all methods, a few metrics per table. */
export const scoreTables = (summary: Summary): ReportTable[] =>
  inTables(summary, (some, isLast) => scoreTable(summary, some, isLast));

/** IASSA's pixel level: scores per activated pixel. */
function pixelTable(
  summary: Summary,
  metrics: readonly SummaryMetric[],
  isLast: boolean,
): ReportTable {
  const order = methodOrder(summary).map(({ method }) => method);
  const columns = metrics.map((metric) => {
    const cells = order.map((method) => cellOf(summary, method, metric.key));
    const values = cells.map((cell) => cell?.pixelLevel ?? null);
    const ranks = ranksOf(values, metric.direction);
    return cells.map((cell, i): ReportValue => {
      const value = cell?.pixelLevel;
      if (!cell || value == null) return '–';
      const detail = details(`#${ranks[i]}`, coverage(cell.count, summary));
      return { value, text: (1e5 * value).toFixed(2), detail };
    });
  });
  return {
    caption: 'Mean score per activated pixel (above 0.3 of the range of the map), ×10⁻⁵',
    columns: [{ title: 'method' }, ...metrics.map((metric) => ({ title: heading(metric) }))],
    rows: order.map((method, i) => [
      methodName(summary, method),
      ...columns.map((column) => column[i] ?? '–'),
    ]),
    ...(isLast && {
      note:
        'The pixel level of Vasu & Long (IASSA, 2020). It rewards maps with few high pixels. If ' +
        'lower is better, it rewards maps with many high pixels.',
    }),
  };
}

/** The scores per activated pixel, a few metrics per table. */
export const pixelTables = (summary: Summary): ReportTable[] =>
  inTables(summary, (some, isLast) => pixelTable(summary, some, isLast));

/** The chart of the mean curves of a metric; none if the metric has no curves. */
export function curveChart(summary: Summary, metric: SummaryMetric): ReportChart[] {
  const curves = summary.curves.filter((curve) => curve.metric === metric.key);
  if (curves.length === 0) return [];
  const rankOf = (method: string) => cellOf(summary, method, metric.key)?.rank ?? 0;
  const ordered = [...curves].sort((a, b) => rankOf(a.method) - rankOf(b.method));
  // A method has the same color in all charts.
  const names = methodOrder(summary).map(({ method }) => method);
  const styles = seriesStyles(names.map((name) => isControl(summary, name)));
  const series = ordered.flatMap(({ method, x, y }) => {
    const style = styles[names.indexOf(method)];
    return style ? [{ name: method, x, y, style }] : [];
  });
  const label = (method: string) => {
    const cell = cellOf(summary, method, metric.key);
    if (!cell || cell.value === null) return method;
    const fewer = coverage(cell.count, summary);
    return `${method} ${formatScore(cell.value)}${fewer === '' ? '' : ` (${fewer})`}`;
  };
  const axes = metric.axes ?? { x: '', y: metric.title };
  const scores = ordered.map(({ method }) => label(method)).join(', ');
  const alt = `${metric.title} curves of ${plural(series.length, 'method')}; scores: ${scores}`;
  return [
    {
      title: `${metric.key} ${arrow(metric.direction)}`,
      chart: { alt, xTitle: axes.x, yTitle: axes.y, series },
      legend: series.map(({ name, style }) => ({ ...style, text: label(name) })),
    },
  ];
}

/** The table of what each method costs: passes through the model, and seconds. */
export function costTable(summary: Summary): ReportTable {
  const ranks = new Map(methodOrder(summary).map(({ method, rank }) => [method, rank]));
  const count = (value: number): ReportValue => ({
    value,
    text: value.toLocaleString('en-US', { maximumFractionDigits: 1 }),
  });
  return {
    caption: `Mean of ${plural(summary.pictures, 'picture')}, on ${summary.settings.model.runtime}`,
    columns: [
      { title: 'method' },
      { title: 'forward passes' },
      { title: 'backward passes' },
      { title: 'seconds' },
      { title: 'mean rank' },
    ],
    rows: [...summary.cost]
      .sort((a, b) => a.seconds - b.seconds)
      .map(({ method, forward, backward, seconds }) => [
        methodName(summary, method),
        count(forward),
        count(backward),
        { value: seconds, text: seconds.toFixed(seconds < 10 ? 2 : 1) },
        rankValue(ranks.get(method)),
      ]),
    note:
      'Passes are counted in pictures that go through the model. ' +
      'Seconds are wall-clock time of this run and depend on the machine.',
  };
}
