import { access, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { rankOf } from '../checks/cell-game.ts';
import type { Statement } from '../checks/statements.ts';
import type { Sufficiency } from '../checks/sufficiency.ts';
import type { MethodRun } from '../explain.ts';
import type { Explanation, Manifest } from '../explanation.ts';
import type { Image } from '../image/image.ts';
import { type Json, parseJson } from '../json.ts';
import { denormalize } from '../model/input/preprocessing.ts';
import type { Model, ModelCalls } from '../model/model.ts';
import type { Target } from '../model/target.ts';
import { svgToPng } from '../node/sag-png.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import { encodePng } from '../node/write-image.ts';
import type { PreparedInput } from '../prepare-input.ts';
import { decodeNpy, encodeNpy } from '../tensor/npy.ts';
import { VERSION } from '../version.ts';
import { type AnnotatedPicture, annotate, colorBarOf } from '../visualize/annotate.ts';
import { cutOut } from '../visualize/cut-out.ts';
import { overlay } from '../visualize/overlay.ts';
import { checkedSets, claimOf, maskOf } from './map-checks.ts';
import { formatShare } from './output.ts';
import type { Run } from './run.ts';
import type { Format } from './shared-options.ts';
import { shortLabel } from './table.ts';

/** Paths of the files of a result, by format; `layer` (`layer1`, …) for maps of layers. */
type ResultFiles = Partial<Record<Format | Statement | 'layer' | 'top' | `layer${number}`, string>>;

/** A result as `--json` prints it. */
export interface ResultRecord {
  readonly image: string;
  readonly model: string;
  readonly method: string;
  readonly target: { readonly index: number; readonly label: string; readonly probability: number };
  readonly files: Readonly<ResultFiles>;
  readonly seconds: number;
  readonly modelCalls: ModelCalls;
  readonly extras: { readonly [key: string]: Json };
  /** What `--check` found. */
  readonly checks?: Sufficiency;
  /** Whether an earlier run made it, and `--resume` kept it. */
  readonly kept?: true;
}

/** One map of one picture, with its files. */
export interface Result {
  readonly record: ResultRecord;
  readonly explanation: Explanation;
  readonly prepared: PreparedInput;
  /** Path of the result's files up to the ending: `DIR/NAME.METHOD`. */
  readonly stem: string;
}

/** The picture and the method of a result. */
export interface ResultSource {
  readonly file: string;
  readonly method: MethodRun;
  readonly prepared: PreparedInput;
  /** Whether the picture has results of several classes. */
  readonly several: boolean;
}

/** A label as part of a file's name: the first of its synonyms, in lower case and dashes. */
function slug(label: string): string {
  const words = shortLabel(label).normalize('NFKD').toLowerCase();
  return words.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}

/** Path of the files of a result up to the ending: `DIR/NAME.METHOD[.CLASS]`. */
function stemFor(run: Run, { file, method, several }: ResultSource, target: Target): string {
  const { index, label, against = [] } = target;
  const not = against.length > 0 ? ['not', ...against.map((other) => other.index)] : [];
  const named = [index, ...(run.hasClassNames ? [slug(label)] : []), ...not];
  const isNamed = run.hasClassNames || several || not.length > 0;
  const suffix = isNamed ? [named.filter((part) => part !== '').join('-')] : [];
  const name = [run.names.get(file), method.method.name, ...suffix].join('.');
  return join(run.folder, name);
}

/** The picture below the map: that of the file, or the picture in a preprocessed input. */
function pictureOf(prepared: PreparedInput, model: Model): Image {
  return prepared.image ?? denormalize(prepared.input, model.preprocessing);
}

async function encode(
  format: Format,
  run: Run,
  source: ResultSource,
  explanation: Explanation,
): Promise<Uint8Array | string> {
  const { prepared } = source;
  if (format === 'npy') return encodeNpy(explanation.channels ?? explanation.map);
  if (format === 'json') return `${JSON.stringify(explanation.manifest, null, 2)}\n`;
  const { colormap, opacity: alpha } = run;
  const picture = overlay(pictureOf(prepared, run.model), explanation, { colormap, alpha });
  return run.annotate ? annotated(run, source, explanation, picture) : encodePng(picture);
}

/** A PNG of a picture at its own size, with text above it and a color bar below it. */
async function annotatedPng(
  picture: Image,
  words: Pick<AnnotatedPicture, 'title' | 'detail' | 'bar'>,
): Promise<Uint8Array> {
  const { width, height } = picture;
  const png = Buffer.from(await encodePng(picture)).toString('base64');
  const source = `data:image/png;base64,${png}`;
  return svgToPng(annotate({ source, width, height, ...words }), 1);
}

/** A PNG with the class, the method and a color bar around the picture, at the picture's size. */
function annotated(
  { model, colormap }: Run,
  { file, method }: ResultSource,
  explanation: Explanation,
  picture: Image,
): Promise<Uint8Array> {
  const { label, probability, against = [] } = explanation.target;
  const others = against.map((other) => shortLabel(other.label)).join(', ');
  const contrast = others === '' ? '' : `, not ${others}`;
  return annotatedPng(picture, {
    title: `${shortLabel(label)} ${formatShare(probability)}${contrast}`,
    detail: `${method.method.name} · ${model.name} · ${basename(file)}`,
    bar: colorBarOf(explanation, colormap),
  });
}

/**
 * Writes a picture per checked statement. `….sufficient.png` and `….contrastive.png` show only the
 * cells of the set, `….necessary.png` all other cells. The rest is dark and grey.
 */
async function saveChecks(
  run: Run,
  { file, method, prepared }: ResultSource,
  stem: string,
  { map, target, manifest }: Explanation,
): Promise<ResultFiles> {
  const files: ResultFiles = {};
  const { checks } = manifest;
  if (!checks) return files;
  for (const [statement, set] of checkedSets(checks)) {
    const mask = maskOf(map, set, checks.grid, statement === 'necessary');
    const picture = cutOut(pictureOf(prepared, run.model), mask, manifest.image.region);
    const detail =
      `shown alone ${formatShare(set.shown)}, hidden ${formatShare(set.hidden)} · ` +
      `${method.method.name} · ${run.model.name} · ${basename(file)}`;
    const title = claimOf(statement, target.label, set);
    const path = `${stem}.${statement}.png`;
    const png = run.annotate ? annotatedPng(picture, { title, detail }) : encodePng(picture);
    await writeFileAtomic(path, await png);
    files[statement] = path;
  }
  return files;
}

/** Writes the maps of layers, if the method has some: `….layer.npy`, or `….layer1.npy`, … */
async function saveLayers(stem: string, { layers = [] }: Explanation): Promise<ResultFiles> {
  const files: ResultFiles = {};
  for (const [i, { map }] of layers.entries()) {
    const kind = layers.length === 1 ? 'layer' : (`layer${i + 1}` as const);
    files[kind] = `${stem}.${kind}.npy`;
    await writeFileAtomic(`${stem}.${kind}.npy`, encodeNpy(map));
  }
  return files;
}

/** Writes the picture with only the superpixels that the method selects: `….top.png`. */
async function saveTop(
  run: Run,
  stem: string,
  { region, manifest }: Explanation,
  prepared: PreparedInput,
): Promise<ResultFiles> {
  if (!region) return {};
  const picture = pictureOf(prepared, run.model);
  const top = `${stem}.top.png`;
  await writeFileAtomic(top, await encodePng(cutOut(picture, region, manifest.image.region)));
  return { top };
}

function recordOf(
  { model }: Run,
  { file, method }: ResultSource,
  { target, manifest, seconds }: Explanation,
  files: ResultFiles,
): ResultRecord {
  const { index, label, probability } = target;
  return {
    image: file,
    model: model.name,
    method: method.method.name,
    target: { index, label, probability },
    files,
    seconds: Math.round(1000 * seconds) / 1000,
    modelCalls: manifest.modelCalls,
    extras: manifest.extras,
    ...(manifest.checks && { checks: manifest.checks }),
  };
}

/** Writes the files of one result. */
export async function saveResult(
  run: Run,
  source: ResultSource,
  explanation: Explanation,
): Promise<Result> {
  const { prepared } = source;
  const stem = stemFor(run, source, explanation.target);
  const files: ResultFiles = {};
  for (const format of run.formats) {
    const path = `${stem}.${format}`;
    await writeFileAtomic(path, await encode(format, run, source, explanation));
    files[format] = path;
  }
  if (run.formats.includes('npy')) Object.assign(files, await saveLayers(stem, explanation));
  if (run.formats.includes('png'))
    Object.assign(
      files,
      await saveTop(run, stem, explanation, prepared),
      await saveChecks(run, source, stem, explanation),
    );
  const record = recordOf(run, source, explanation, files);
  return { record, explanation, prepared, stem };
}

/** A key of the parts of a manifest that a map depends on. Equal keys mean equal maps. */
function identityOf(parts: {
  readonly fovea: unknown;
  readonly method: unknown;
  readonly options: unknown;
  readonly seed: unknown;
  readonly fingerprint: unknown;
  readonly preprocessing: unknown;
  readonly sha256: unknown;
  readonly target: unknown;
}): string {
  return JSON.stringify(Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether a manifest has the checks of a run; only the most probable class has any. */
const hasChecks = (run: Run, { probabilities }: PreparedInput, manifest: Manifest): boolean =>
  rankOf(probabilities, manifest.target.index) > 0 ||
  run.checks.every((statement) => statement in (manifest.checks ?? {}));

/** The pictures of the checks of a manifest, which must exist. */
async function keptChecks(stem: string, { checks }: Manifest): Promise<ResultFiles> {
  const files: ResultFiles = {};
  for (const [statement] of checks ? checkedSets(checks) : []) {
    files[statement] = `${stem}.${statement}.png`;
    await access(`${stem}.${statement}.png`);
  }
  return files;
}

/**
 * The result of an earlier run for the same picture, method, options, seed, model and class;
 * undefined if there is none, or if a file of it is missing.
 */
export async function keptResult(
  run: Run,
  source: ResultSource,
  target: Target,
): Promise<Result | undefined> {
  const { model, seed } = run;
  const { method, prepared } = source;
  const stem = stemFor(run, source, target);
  try {
    const manifest = parseJson(await readFile(`${stem}.json`, 'utf8')) as Manifest;
    if (manifest.signed === undefined) return undefined; // of a preview of this version
    const before = identityOf({
      ...manifest,
      fingerprint: manifest.model.fingerprint,
      sha256: manifest.image.sha256,
      target: manifest.target,
    });
    const now = identityOf({
      ...manifest,
      fovea: VERSION,
      method: method.method.name,
      options: method.options,
      seed,
      fingerprint: model.fingerprint,
      preprocessing: model.preprocessing,
      sha256: prepared.sha256,
      target,
    });
    if (before !== now || !hasChecks(run, prepared, manifest)) return undefined;
    const map = decodeNpy(await readFile(`${stem}.npy`), stem);
    if (map.shape.length !== 2) return undefined;
    const files: ResultFiles = {};
    for (const format of run.formats) {
      files[format] = `${stem}.${format}`;
      await access(`${stem}.${format}`);
    }
    if (run.formats.includes('png')) Object.assign(files, await keptChecks(stem, manifest));
    const { signed } = manifest;
    const explanation: Explanation = { map, signed, target, manifest, seconds: 0 };
    const record = recordOf(run, source, explanation, files);
    return { record: { ...record, kept: true }, explanation, prepared, stem };
  } catch {
    return undefined;
  }
}
