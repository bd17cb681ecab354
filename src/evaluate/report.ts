import { methods as registry } from '../methods/index.ts';
import type { ScoreLevel } from '../metrics/metric.ts';
import { mean } from '../tensor/statistics.ts';
import { VERSION } from '../version.ts';
import { lineChartSvg, seriesStyles } from '../visualize/line-chart.ts';
import {
  type ReportChart,
  type ReportGallery,
  type ReportSection,
  type ReportTable,
  type ReportValue,
  reportHtml,
} from '../visualize/report.ts';
import type { TargetPolicy } from './records.ts';
import type { Problem } from './run.ts';
import { ranksOf } from './statistics.ts';
import type { Summary, SummaryCell, SummaryMetric } from './summarise.ts';

const arrow = (direction: 'higher' | 'lower'): string => (direction === 'higher' ? '↑' : '↓');
/** The arrow stays on the line of the last word. */
const heading = ({ key, direction }: Pick<SummaryMetric, 'key' | 'direction'>): string =>
  `${key}\u00a0${arrow(direction)}`;
const plural = (count: number, thing: string): string =>
  `${count.toLocaleString('en-US')} ${thing}${count === 1 ? '' : 's'}`;
const isControl = (method: string): boolean => registry.get(method).family === 'control';

/** A score with three digits that say something. */
export function formatScore(value: number): string {
  if (value === 0 || Math.abs(value) >= 0.001) return value.toFixed(Math.abs(value) >= 100 ? 1 : 3);
  return value.toExponential(1);
}

/**
 * Keys of the metrics in which every method has a score, but for methods that have none at all: few
 * methods share few ranks, all of them good.
 */
function sharedMetrics({ metrics, table }: Summary): string[] {
  const scored = table.filter(({ value }) => value !== null);
  const methods = new Set(scored.map(({ method }) => method)).size;
  return metrics
    .map(({ key }) => key)
    .filter((key) => scored.filter(({ metric }) => metric === key).length === methods);
}

/**
 * Methods with the mean of their ranks under the metrics in which all have a score, the best first;
 * Infinity where there is none.
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

const rankValue = (rank: number | undefined): ReportValue =>
  rank !== undefined && Number.isFinite(rank) ? { value: rank, text: rank.toFixed(1) } : '–';

/** Over what the mean rank is. */
function rankNote(summary: Summary): string {
  const shared = sharedMetrics(summary);
  const others = summary.metrics.map(({ key }) => key).filter((key) => !shared.includes(key));
  return others.length === 0
    ? 'all metrics'
    : `the metrics in which every method has a score, so not over ${others.join(', ')}`;
}

const cellOf = ({ table }: Summary, method: string, metric: string): SummaryCell | undefined =>
  table.find((cell) => cell.method === method && cell.metric === metric);

function scoreValue(cell: SummaryCell | undefined, pictures: number): ReportValue {
  if (!cell || cell.value === null) return '–';
  // Lines break between interval, rank and count, not within them.
  const interval = cell.interval
    ? `${formatScore(cell.interval[0])}\u00a0…\u00a0${formatScore(cell.interval[1])}`
    : '';
  const count = cell.count === pictures ? '' : ` · ${cell.count}\u00a0of\u00a0${pictures}`;
  return {
    value: cell.value,
    text: formatScore(cell.value),
    detail: `${interval} · #${cell.rank}${count}`,
  };
}

const methodName = (method: string): ReportValue =>
  isControl(method) ? `${method} (control)` : method;

/** Metrics a table: as many as a page is wide. */
const COLUMNS = 5;

/** Some of the metrics at a time, so that no table is wider than a printed page. */
function inTables(
  summary: Summary,
  table: (metrics: readonly SummaryMetric[], isLast: boolean) => ReportTable,
): ReportTable[] {
  const { metrics } = summary;
  const starts = Array.from({ length: Math.ceil(metrics.length / COLUMNS) }, (_, i) => i * COLUMNS);
  return starts.map((from) =>
    table(metrics.slice(from, from + COLUMNS), from + COLUMNS >= metrics.length),
  );
}

function scoreTable(
  summary: Summary,
  metrics: readonly SummaryMetric[],
  isLast: boolean,
): ReportTable {
  const { pictures } = summary;
  return {
    caption: `${plural(pictures, 'picture')}; below each score: 95% bootstrap interval and rank`,
    columns: [
      { title: 'method' },
      ...metrics.map(({ key, direction }) => ({
        title: heading({ key, direction }),
        best: direction === 'higher' ? ('highest' as const) : ('lowest' as const),
      })),
      { title: 'mean rank', best: 'lowest' },
    ],
    rows: methodOrder(summary).map(({ method, rank }) => [
      methodName(method),
      ...metrics.map(({ key }) => scoreValue(cellOf(summary, method, key), pictures)),
      rankValue(rank),
    ]),
    note: !isLast
      ? undefined
      : `↑ higher is better, ↓ lower is better; ● best of its column; the mean rank is over ${rankNote(summary)}. random and centre look at neither picture nor model: a method that does not beat them shows nothing. Intervals that overlap widely are no difference.`,
  };
}

/** IASSA's pixel level: scores per activated pixel. */
function pixelTable(
  summary: Summary,
  metrics: readonly SummaryMetric[],
  isLast: boolean,
): ReportTable {
  const value = (pixel: number | null | undefined): ReportValue =>
    pixel == null ? '–' : { value: pixel, text: (1e5 * pixel).toFixed(2) };
  const ranks = (metric: SummaryMetric) => {
    const cells = methodOrder(summary).map(
      ({ method }) => cellOf(summary, method, metric.key)?.pixelLevel ?? null,
    );
    return ranksOf(cells, metric.direction);
  };
  const byMetric = new Map(metrics.map((metric) => [metric.key, ranks(metric)]));
  const withRank = (cell: ReportValue, rank: number | null | undefined): ReportValue =>
    typeof cell === 'string' ? cell : { ...cell, detail: `#${rank}` };
  return {
    caption: 'Mean score per activated pixel (above 0.3 of the range of the map), ×10⁻⁵',
    columns: [{ title: 'method' }, ...metrics.map((metric) => ({ title: heading(metric) }))],
    rows: methodOrder(summary).map(({ method }, i) => [
      methodName(method),
      ...metrics.map(({ key }) =>
        withRank(value(cellOf(summary, method, key)?.pixelLevel), byMetric.get(key)?.[i]),
      ),
    ]),
    note: !isLast
      ? undefined
      : 'The pixel level of Vasu & Long (IASSA, 2020). It rewards maps that light up few pixels; for metrics where lower is better it flatters maps that light up many.',
  };
}

function curveChart(summary: Summary, metric: SummaryMetric): ReportChart[] {
  const curves = summary.curves.filter((curve) => curve.metric === metric.key);
  if (curves.length === 0) return [];
  const ordered = [...curves].sort(
    (a, b) =>
      (cellOf(summary, a.method, metric.key)?.rank ?? 0) -
      (cellOf(summary, b.method, metric.key)?.rank ?? 0),
  );
  // A method has the same colour in all charts.
  const names = methodOrder(summary).map(({ method }) => method);
  const styles = seriesStyles(names.map(isControl));
  const series = ordered.map(({ method, x, y }) => ({
    name: method,
    x,
    y,
    style: styles[names.indexOf(method)],
  }));
  const score = (method: string) => {
    const value = cellOf(summary, method, metric.key)?.value;
    return value == null ? '' : ` ${formatScore(value)}`;
  };
  const axes = metric.axes ?? { x: '', y: metric.title };
  const alt = `${metric.title} curves of ${plural(series.length, 'method')}; scores: ${ordered.map(({ method }) => `${method}${score(method)}`).join(', ')}`;
  return [
    {
      title: `${metric.key} ${arrow(metric.direction)}`,
      svg: lineChartSvg({ alt, xTitle: axes.x, yTitle: axes.y, series }),
      legend: series.map(({ name, style }) => ({ ...style, text: `${name}${score(name)}` })),
    },
  ];
}

function costTable(summary: Summary): ReportTable {
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
        methodName(method),
        count(forward),
        count(backward),
        { value: seconds, text: seconds.toFixed(seconds < 10 ? 2 : 1) },
        rankValue(ranks.get(method)),
      ]),
    note: 'Passes are counted in pictures that go through the model; seconds are wall-clock time of this run and depend on the machine.',
  };
}

const TARGETS: Readonly<Record<TargetPolicy, string>> = {
  predicted: 'the class that the model finds likeliest',
  'ground-truth':
    'the class that the data set gives the picture, whether the model recognises it or not; of several classes that count as it, the one the model finds likeliest',
  recognised:
    'the class that the data set gives the picture, only of pictures for which the model finds it likeliest',
};

/** In words, which class was explained. */
export const targetText = (target: TargetPolicy): string => TARGETS[target];

const LEVELS: Readonly<Record<ScoreLevel, string>> = {
  mean: 'mean over the pictures',
  'data-set': 'counts are summed over the data set before they are divided',
  'median-curve': 'area under the median of the curves',
};

function protocolSection({ settings, metrics }: Summary): ReportSection {
  const json = (value: unknown) => JSON.stringify(value, null, 2);
  return {
    title: 'Protocol',
    text: [
      'All methods see the same pictures, classes and seeds. Every score follows from what stands here.',
    ],
    list: [
      `Class explained: ${targetText(settings.target)}.`,
      ...settings.dataset.protocol,
      `Seed of all randomness: ${settings.seed}.`,
    ],
    details: [
      ...metrics.map(({ key, title, preset, options, paper, direction, level }) => ({
        title: `${key}: ${title}, protocol ${preset}`,
        text: `${direction} is better; ${LEVELS[level]}\n${paper}\n\n${json(options)}`,
      })),
      ...Object.entries(settings.methods).map(([name, options]) => ({
        title: `${name}: ${registry.get(name).title}`,
        text: `${registry.get(name).paper}\n\n${json(options)}`,
      })),
      { title: 'the model', text: json(settings.model) },
    ],
  };
}

/** Titles of the kinds of problems; a metric that the model cannot answer names no method. */
const KINDS: readonly (readonly [
  isOne: (problem: Problem) => boolean,
  title: (count: number) => string,
])[] = [
  [({ kind }) => kind === 'index', (count) => `${count} wrong in the index of the data set`],
  [
    ({ kind }) => kind === 'damaged',
    (count) => `${plural(count, 'picture')} that could not be read`,
  ],
  [({ kind }) => kind === 'left-out', (count) => `${plural(count, 'picture')} left out`],
  [
    ({ kind, method }) => kind === 'not-run' && method !== undefined,
    (count) => `${plural(count, 'method')} that this model cannot run`,
  ],
  [
    ({ kind, method }) => kind === 'not-run' && method === undefined,
    (count) => `${plural(count, 'metric')} that this model cannot be scored by`,
  ],
  [({ kind }) => kind === 'failed', (count) => `${count} failed`],
];

/** Where scores are missing: for each metric, how many, and with which methods. */
function missingScores({ table, pictures, cost }: Summary): string[] {
  const methods = new Map<string, string[]>();
  for (const { method, metric, excluded } of table.filter(({ excluded: count }) => count > 0)) {
    const what = `${metric} has no score for ${excluded} of ${plural(pictures, 'picture')}`;
    methods.set(what, [...(methods.get(what) ?? []), method]);
  }
  return [...methods].map(
    ([what, names]) =>
      `${what} with ${names.length === cost.length ? 'any method' : names.join(', ')}`,
  );
}

/** What went wrong, by kind; long lists are cut. */
function problemSection(summary: Summary): ReportSection[] {
  const { problems } = summary;
  const list = missingScores(summary);
  if (problems.length === 0 && list.length === 0) return [];
  return [
    {
      title: 'Left out',
      text: ['What could not be read, run or scored. It counts in no average.'],
      list,
      details: KINDS.flatMap(([isOne, title]) => {
        const messages = problems.filter(isOne).map(({ message }) => message);
        const rest = messages.length > 200 ? `\n… and ${messages.length - 200} more` : '';
        return messages.length === 0
          ? []
          : [{ title: title(messages.length), text: messages.slice(0, 200).join('\n') + rest }];
      }),
    },
  ];
}

/** The page of results of a benchmark, one HTML document that needs no other file. */
export function benchmarkReport(summary: Summary, gallery: ReportGallery): string {
  const { settings, metrics, pictures } = summary;
  const charts = metrics.flatMap((metric) => curveChart(summary, metric));
  const sections: ReportSection[] = [
    {
      title: 'Scores',
      tables: inTables(summary, (some, isLast) => scoreTable(summary, some, isLast)),
    },
    ...(charts.length > 0
      ? [
          {
            title: 'Curves',
            text: [
              'Mean over the pictures (median for sic and aic); the number is the score of the table.',
            ],
            charts,
          },
        ]
      : []),
    { title: 'Cost', table: costTable(summary) },
    ...(gallery.rows.length > 0
      ? [
          {
            title: 'Where the methods disagree',
            text: [
              'The pictures on which the maps differ most, those first. The outline is the mask, where there is one.',
            ],
            gallery,
          },
        ]
      : []),
    {
      title: 'Pixel level',
      tables: inTables(summary, (some, isLast) => pixelTable(summary, some, isLast)),
    },
    ...problemSection(summary),
    protocolSection(summary),
  ];
  return reportHtml({
    title: 'How good are the explanations?',
    lead: `${plural(summary.cost.length, 'method')} of explanation, ${plural(metrics.length, 'metric')}, ${plural(pictures, 'picture')}. Explained: ${targetText(settings.target)}.`,
    facts: [
      ['model', settings.model.name],
      ['data set', settings.dataset.name],
      ['pictures', pictures.toLocaleString('en-US')],
      ['target', settings.target],
      ['seed', String(settings.seed)],
      ['ran on', settings.model.runtime],
    ],
    sections,
    footer: `Made by fovea ${VERSION} (fovea evaluate).`,
  });
}
