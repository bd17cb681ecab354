import type { ReportTable } from 'fovea/visualize';
import type { Explanation } from 'fovea/web';
import type { Classification } from 'fovea/worker';
import { colormapOf, type Look, shownScale } from './colour.ts';
import { dataUri, overlaid, tick } from './figure.ts';
import type { MapRun } from './map-run.svelte.ts';
import { decimals, percent, shortLabel } from './maths.ts';
import type { ModelSource } from './models.ts';
import { blobOf, type Picture } from './pictures.ts';
import type { Corrections } from './studio.svelte.ts';
import { isBetter, TESTS, trustOf } from './trust.svelte.ts';

/** What a map was made of, for everything that can be taken away. */
export interface Finding {
  readonly run: MapRun;
  readonly explanation: Explanation;
  readonly picture: Picture;
  readonly model: ModelSource;
  readonly corrections: Corrections;
  readonly scores: Classification;
  readonly labels: readonly string[];
}

const shell = (text: string): string =>
  /^[\w./:@=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The options that differ from a method's defaults, as they were asked for. */
const given = ({ run }: Finding): [string, unknown][] => Object.entries(run.request.options);

const modelFile = ({ model }: Finding): string =>
  model.isBuiltIn || model.isOnHub ? model.name : `${model.name}.onnx`;

/** The command that makes the same map. */
export function commandOf(finding: Finding): string {
  const { run, picture, corrections } = finding;
  const { method, target, against, seed } = run.request;
  const value = (option: unknown) => (typeof option === 'string' ? option : JSON.stringify(option));
  const preprocessing = Object.entries(corrections.preprocessing ?? {}).map(
    ([key, part]) => `${key}=${[part].flat().join(key === 'size' ? 'x' : ',')}`,
  );
  return [
    ...['fovea explain', shell(picture.name), '--model', shell(modelFile(finding))],
    ...['--methods', method, '--target', String(target)],
    ...(against === undefined ? [] : ['--against', String(against)]),
    ...['--seed', String(seed)],
    ...given(finding).flatMap(([name, option]) => [
      '--set',
      shell(`${method}.${name}=${value(option)}`),
    ]),
    ...preprocessing.flatMap((pair) => ['--preprocess', shell(pair)]),
  ].join(' ');
}

/** The program that makes the same map. */
export function programOf(finding: Finding): string {
  const { run, picture, corrections } = finding;
  const { method, target, against, seed } = run.request;
  const wanted = against === undefined ? target : `{ class: ${target}, against: ${against} }`;
  const options = Object.fromEntries(given(finding));
  const more = Object.keys(corrections).length > 0 ? `, ${JSON.stringify(corrections)}` : '';
  return `import { explain, loadModel, readImage } from 'fovea/node';

const model = await loadModel(${JSON.stringify(modelFile(finding))}${more});
const picture = await readImage(${JSON.stringify(picture.name)});
const { map, manifest } = await explain(model, picture, {
  method: ${JSON.stringify(method)},
  target: ${wanted},
  seed: ${seed},
  options: ${JSON.stringify(options)},
});
`;
}

/** What a figure and a report of a finding are called. */
export function titleOf({ run, explanation }: Finding, against: string): string {
  const label = shortLabel(explanation.target.label);
  return run.request.against === undefined
    ? `Why “${label}”?`
    : `Why “${label}” and not “${against}”?`;
}

/** The raw map as NumPy reads it. */
export async function npyOf({ explanation }: Finding): Promise<Blob> {
  const { encodeNpy } = await import('fovea/tensor');
  const bytes = encodeNpy(explanation.map);
  return new Blob([bytes.slice()]);
}

export const manifestOf = ({ explanation }: Finding): string =>
  `${JSON.stringify(explanation.manifest, null, 2)}\n`;

/** The verdict on a map in a sentence, and the numbers behind it. */
function verdictOf({ run }: Finding): { sentence: string; table?: ReportTable } {
  const rows = trustOf(run);
  if (!rows) return { sentence: 'The map was not tested. The page tests it in the part “Trust”.' };
  const passed = TESTS.filter(({ key }) => isBetter(rows, key)).length;
  const number = (value: number | undefined) =>
    value === undefined ? '–' : { value, text: decimals(value) };
  return {
    sentence: `The map passes ${passed} of ${TESTS.length} tests.`,
    table: {
      caption: 'The tests of the map, beside maps that know nothing',
      columns: [{ title: 'Map' }, ...TESTS.map(({ title }) => ({ title }))],
      rows: rows.map((row) => [row.name, ...TESTS.map(({ key }) => number(row[key]))]),
      note: TESTS.map(({ title, words }) => `${title}: ${words}`).join(' '),
    },
  };
}

/** What the model says, likeliest class first. */
const answersOf = ({ scores, labels }: Finding): ReportTable => ({
  caption: 'What the model says',
  columns: [{ title: 'Class' }, { title: 'Probability' }],
  rows: [...scores.ranking.slice(0, 5)].map((index) => {
    const value = scores.probabilities[index] ?? 0;
    return [labels[index] ?? String(index), { value, text: percent(value) }];
  }),
});

/** Where the model, the picture and the map come from. */
function factsOf({ explanation, picture }: Finding): [string, string][] {
  const { manifest } = explanation;
  const { model, image } = manifest;
  return [
    ['Model', `${model.name} (sha256 ${model.fingerprint})`],
    [
      'Picture',
      `${picture.name}, ${image.width}×${image.height} (sha256 of the pixels ${image.sha256})`,
    ],
    ['Method', `${manifest.method}, seed ${manifest.seed}`],
    [
      'Options',
      Object.entries(manifest.options)
        .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
        .join(', ') || 'none',
    ],
    ['Runtime', `${model.runtime}, Fovea ${manifest.fovea}`],
  ];
}

const DOES_NOT_PROVE = [
  'The map shows where the model looks. It does not show what the model thinks there.',
  'Methods can disagree. One map of one picture says little about the model as a whole.',
  'A bright place is a hint: hide it, and see whether the answer changes.',
];

/** One page with everything: it needs no other file. */
export async function reportOf(finding: Finding, title: string, look: Look): Promise<string> {
  const { reportHtml } = await import('fovea/visualize');
  const { explanation, picture } = finding;
  const { manifest, target } = explanation;
  const scale = shownScale(explanation);
  const [plain = '', withMap = ''] = await Promise.all(
    [picture.canvas, overlaid(picture, explanation, look)].map(async (canvas) =>
      dataUri(await blobOf(canvas)),
    ),
  );
  const label = shortLabel(target.label);
  const { method } = manifest;
  const verdict = verdictOf(finding);
  const cells = [
    { source: plain, alt: `The picture ${picture.name}`, title: 'Picture' },
    { source: withMap, alt: `The picture with the map of ${method}`, title: method },
  ];
  const legend = {
    colormap: colormapOf(look, scale.signed),
    title: 'Evidence',
    low: `${tick(scale.low)} ${scale.signed ? 'against' : 'little'}`,
    ...(scale.signed && { middle: '0' }),
    high: `${tick(scale.high)} ${scale.signed ? 'for' : 'much'}`,
  };
  return reportHtml({
    title,
    lead: `${manifest.model.name} says “${label}” with ${percent(target.probability)} for the picture ${picture.name}. ${verdict.sentence}`,
    facts: factsOf(finding),
    sections: [
      {
        title: 'Where the evidence is',
        gallery: { rows: [{ title: label, cells }] },
        legends: [legend],
      },
      { title: 'Numbers', tables: [answersOf(finding), ...(verdict.table ? [verdict.table] : [])] },
      { title: 'What this does not prove', list: [...DOES_NOT_PROVE, ...manifest.warnings] },
      {
        title: 'Make it again',
        details: [
          { title: 'Command', text: commandOf(finding) },
          { title: 'Program', text: programOf(finding) },
          { title: 'Manifest', text: manifestOf(finding) },
        ],
      },
    ],
    footer: 'Made by Fovea studio, on this computer. No picture was sent anywhere.',
  });
}

/** Lets the browser save a file. */
export function save(
  name: string,
  content: Blob | string,
  type = 'application/octet-stream',
): void {
  const blob = typeof content === 'string' ? new Blob([content], { type }) : content;
  const address = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement('a'), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
