import type { Explanation } from 'fovea/web';
import type { MapRun } from './map-run.svelte.ts';
import { percent, shortLabel } from './maths.ts';
import { contextOf, createCanvas, type Picture, toImageData } from './pictures.ts';
import type { Corrections, ModelSource } from './studio.svelte.ts';

/** What a map was made of, for everything that can be taken away. */
export interface Finding {
  readonly run: MapRun;
  readonly explanation: Explanation;
  readonly picture: Picture;
  readonly model: ModelSource;
  readonly corrections: Corrections;
}

const shell = (text: string): string =>
  /^[\w./:@=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** The options that differ from a method's defaults, as they were asked for. */
const given = ({ run }: Finding): [string, unknown][] => Object.entries(run.request.options);

const modelFile = ({ model }: Finding): string =>
  model.isBuiltIn ? model.name : `${model.name}.onnx`;

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

/** The picture with the map over it, as the command line draws it, as a PNG. */
export async function figureOf(
  { run, picture }: Finding,
  region: { left: number; top: number; width: number; height: number },
): Promise<Blob> {
  const { overlay } = await import('fovea/visualize');
  const shown = run.shown;
  const drawn = shown
    ? overlay(picture.image, shown.map, { region, signed: shown.signed })
    : picture.image;
  const canvas = createCanvas(drawn.width, drawn.height);
  contextOf(canvas).putImageData(toImageData(drawn), 0, 0);
  return blobOf(canvas);
}

function blobOf(canvas: HTMLCanvasElement): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no PNG'))), 'image/png');
  });
}

/** The raw map as NumPy reads it. */
export async function npyOf({ explanation }: Finding): Promise<Blob> {
  const { encodeNpy } = await import('fovea/tensor');
  const bytes = encodeNpy(explanation.map);
  return new Blob([bytes.slice()]);
}

export const manifestOf = ({ explanation }: Finding): string =>
  `${JSON.stringify(explanation.manifest, null, 2)}\n`;

async function dataUri(blob: Blob): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.readAsDataURL(blob);
  });
}

/** One page with everything: it needs no other file. */
export async function reportOf(finding: Finding, figure: Blob): Promise<string> {
  const { reportHtml } = await import('fovea/visualize');
  const { explanation, picture } = finding;
  const { manifest, target } = explanation;
  const [plain, withMap] = [await dataUri(await blobOf(picture.canvas)), await dataUri(figure)];
  const label = shortLabel(target.label);
  return reportHtml({
    title: `Why “${label}”?`,
    lead: `${manifest.model.name} says “${label}” with ${percent(target.probability)} for the picture ${picture.name}.`,
    facts: [
      ['Model', `${manifest.model.name} (sha256 ${manifest.model.fingerprint})`],
      [
        'Picture',
        `${picture.name}, ${manifest.image.width}×${manifest.image.height} (sha256 of the pixels ${manifest.image.sha256})`,
      ],
      ['Method', `${manifest.method}, seed ${manifest.seed}`],
      ['Runtime', `${manifest.model.runtime}, Fovea ${manifest.fovea}`],
    ],
    sections: [
      {
        title: 'Where the evidence is',
        gallery: {
          rows: [
            {
              title: label,
              cells: [
                { source: plain, alt: `The picture ${picture.name}`, title: 'Picture' },
                {
                  source: withMap,
                  alt: `The picture with the map of ${manifest.method}`,
                  title: manifest.method,
                },
              ],
            },
          ],
        },
      },
      {
        title: 'What this does not prove',
        list: [
          'The map shows where the model looks. It does not show what the model thinks there.',
          'Methods can disagree. One map of one picture says little about the model as a whole.',
          'A bright place is a hint: hide it, and see whether the answer changes.',
          ...manifest.warnings,
        ],
      },
      {
        title: 'Make it again',
        details: [
          { title: 'Command', text: commandOf(finding) },
          { title: 'Program', text: programOf(finding) },
          { title: 'Manifest', text: manifestOf(finding) },
        ],
      },
    ],
    footer: 'Made by Fovea studio, on this computer. Nothing was sent anywhere.',
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
