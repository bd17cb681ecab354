import type { ScoreLevel } from '../metrics/metric.ts';
import { plural } from '../plural.ts';
import { VERSION } from '../version.ts';
import { type ReportGallery, type ReportSection, reportHtml } from '../visualize/report.ts';
import type { TargetPolicy } from './records.ts';
import { costTable, curveChart, pixelTables, scoreTables } from './report-tables.ts';
import type { Problem } from './run.ts';
import type { Summary } from './summarise.ts';

const TARGETS: Readonly<Record<TargetPolicy, string>> = {
  predicted: 'the class that the model finds most probable',
  'ground-truth':
    'the label of the picture, even if the model predicts another class; if the label stands ' +
    'for several classes, the most probable of them',
  recognised:
    'the label of the picture; pictures for which the model predicts another class are left out',
};

/** The class that was explained, in words. */
const targetText = (target: TargetPolicy): string => TARGETS[target];

const LEVELS: Readonly<Record<ScoreLevel, string>> = {
  mean: 'mean over the pictures',
  'data-set': 'counts are summed over the data set before they are divided',
  'median-curve': 'area under the median of the curves',
};

function protocolSection({ settings, methods, metrics }: Summary): ReportSection {
  const json = (value: unknown) => JSON.stringify(value, null, 2);
  return {
    title: 'Protocol',
    text: [
      'All methods get the same pictures, classes and seeds. These settings are enough to ' +
        'compute every score again.',
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
      ...methods.map(({ name, title, paper }) => ({
        title: `${name}: ${title}`,
        text: `${paper}\n\n${json(settings.methods[name]?.options)}`,
      })),
      { title: 'the model', text: json(settings.model) },
    ],
  };
}

/** Titles of the kinds of problems; a `not-run` problem of a metric names no method. */
const KINDS: readonly (readonly [
  isOne: (problem: Problem) => boolean,
  title: (count: number) => string,
])[] = [
  [
    ({ kind }) => kind === 'index',
    (count) => `${plural(count, 'problem')} in the index of the data set`,
  ],
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

/** The number of missing scores per metric, with the methods concerned. */
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

/** The problems by kind. Long lists are cut. */
function problemSection(summary: Summary): ReportSection[] {
  const { problems } = summary;
  const list = missingScores(summary);
  if (problems.length === 0 && list.length === 0) return [];
  return [
    {
      title: 'Left out',
      text: ['Pictures, methods and scores that failed or were skipped. No average includes them.'],
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

const CURVES_TEXT =
  'Mean over the pictures, or median if the protocol says so. The number after a name is its ' +
  'score in the table.';

const GALLERY_TEXT =
  'The pictures on which the maps differ most come first. The white outline is the mask, if ' +
  'there is one. The ring marks the highest pixel of a map.';

function sectionsOf(summary: Summary, gallery: ReportGallery): ReportSection[] {
  const charts = summary.metrics.flatMap((metric) => curveChart(summary, metric));
  const curves = {
    title: 'Curves',
    text: [CURVES_TEXT],
    charts,
  };
  const pictures = { title: 'Where the methods disagree', text: [GALLERY_TEXT], gallery };
  return [
    { title: 'Scores', tables: scoreTables(summary) },
    ...(charts.length > 0 ? [curves] : []),
    { title: 'Cost', table: costTable(summary) },
    ...(gallery.rows.length > 0 ? [pictures] : []),
    { title: 'Pixel level', tables: pixelTables(summary) },
    ...problemSection(summary),
    protocolSection(summary),
  ];
}

/** The page of results of an evaluation, one HTML document that needs no other file. */
export function evaluationReport(summary: Summary, gallery: ReportGallery): string {
  const { settings, metrics, pictures, cost } = summary;
  const counts = [
    `${plural(cost.length, 'method')} of explanation`,
    plural(metrics.length, 'metric'),
    plural(pictures, 'picture'),
  ];
  return reportHtml({
    title: 'How good are the explanations?',
    lead: `${counts.join(', ')}. Explained: ${targetText(settings.target)}.`,
    facts: [
      ['model', settings.model.name],
      ['data set', settings.dataset.name],
      ['pictures', pictures.toLocaleString('en-US')],
      ['target', settings.target],
      ['seed', String(settings.seed)],
      ['ran on', settings.model.runtime],
    ],
    sections: sectionsOf(summary, gallery),
    footer: `Made by fovea ${VERSION} (fovea evaluate).`,
  });
}
