import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { FoveaError, messageOf } from '../errors.ts';
import { explainAll, type PreparedInput, prepareInput } from '../explain.ts';
import type { Explanation } from '../explanation.ts';
import type { Image } from '../image/image.ts';
import type { Json } from '../json.ts';
import type { Method } from '../methods/method.ts';
import { denormalize, inputRegion } from '../model/input/preprocessing.ts';
import type { Model, ModelCalls } from '../model/model.ts';
import { parseTarget, type Target } from '../model/target.ts';
import { readImage } from '../node/read-image.ts';
import { writeFileAtomic } from '../node/write-file.ts';
import { encodePng } from '../node/write-image.ts';
import { decodeNpy, encodeNpy } from '../tensor/npy.ts';
import { cutOut } from '../visualize/cut-out.ts';
import { overlay } from '../visualize/overlay.ts';
import type { Format, MethodRequest } from './options.ts';
import { describeError } from './output.ts';

/** A picture to explain. */
export interface ExplainItem {
  /** Path of the picture, or of an `.npy` file with a ready input. */
  readonly file: string;
  readonly target: string;
}

/** What is explained, how, and where the results go. */
export interface ExplainPlan {
  readonly model: Model;
  readonly items: readonly ExplainItem[];
  /** What each file's results are called (see `resultNames`). */
  readonly names: ReadonlyMap<string, string>;
  /**
   * Whether the names of results always end in the class, with its label:
   * `NAME.METHOD.INDEX-LABEL`.
   */
  readonly classNames?: boolean;
  readonly methods: readonly MethodRequest[];
  readonly seed: number;
  readonly folder: string;
  readonly formats: readonly Format[];
  readonly colormap?: string;
  readonly batchSize?: number;
  readonly signal: AbortSignal;
  readonly loadModel: (source: string) => Promise<Model>;
  /** Share of all the work, 0 … 1, and what is being done. */
  readonly onProgress: (share: number, what: string) => void;
}

/** A result as `--json` prints it. */
export interface ResultRecord {
  readonly image: string;
  readonly model: string;
  readonly method: string;
  readonly target: { readonly index: number; readonly label: string; readonly probability: number };
  /** Path of each file written, by format; `layer` (`layer1`, …) for maps of layers. */
  readonly files: Readonly<Partial<Record<Format | 'layer' | 'top', string>>> & {
    readonly [layer: `layer${number}`]: string;
  };
  readonly seconds: number;
  readonly modelCalls: ModelCalls;
  readonly extras: { readonly [key: string]: Json };
}

/** What became of a file, or of one method on it. */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly record: ResultRecord;
      readonly explanation: Explanation;
      readonly prepared: PreparedInput;
    }
  | {
      readonly kind: 'failed';
      readonly file: string;
      readonly message: string;
      readonly error: unknown;
    };

const isNpy = (file: string): boolean => file.toLowerCase().endsWith('.npy');

/**
 * Errors that end the whole run: interruption, and what the caller got wrong for all pictures
 * alike.
 */
function endsRun(error: unknown, file: string): boolean {
  if (!(error instanceof FoveaError)) return false;
  return error.code === 'cancelled' || (error.code === 'usage' && !isNpy(file));
}

/** The bytes of a file; a problem is an `image` error. */
async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new FoveaError('image', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/**
 * What is wrong with a ready input (its shape, its values, its header) is wrong with this file
 * only, not with the command.
 */
async function prepareFile({ model, signal }: ExplainPlan, file: string): Promise<PreparedInput> {
  try {
    const source = isNpy(file) ? decodeNpy(await readBytes(file), file) : await readImage(file);
    return await prepareInput(model, source, signal);
  } catch (cause) {
    if (cause instanceof FoveaError && cause.code === 'usage')
      throw new FoveaError('image', cause.message, { cause });
    throw cause;
  }
}

/** The picture that a map is laid over: the file's own, or what a ready input shows. */
function pictureOf(prepared: PreparedInput, model: Model): Image {
  return prepared.image ?? denormalize(prepared.input, model.preprocessing);
}

async function encode(
  format: Format,
  plan: ExplainPlan,
  method: Method,
  explanation: Explanation,
  prepared: PreparedInput,
): Promise<Uint8Array | string> {
  if (format === 'npy') return encodeNpy(explanation.channels ?? explanation.map);
  if (format === 'json') return `${JSON.stringify(explanation.manifest, null, 2)}\n`;
  const picture = pictureOf(prepared, plan.model);
  const region =
    prepared.image && inputRegion(picture.width, picture.height, plan.model.preprocessing);
  return encodePng(
    overlay(picture, explanation.map, { region, signed: method.signed, colormap: plan.colormap }),
  );
}

/** A label as part of a file's name: the first of its synonyms, in lower case and dashes. */
function slug(label: string): string {
  const words = label.split(',')[0].normalize('NFKD').toLowerCase();
  return words.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
}

/** What is between the method and the ending in the names of a result. */
function classSuffix(
  { classNames }: ExplainPlan,
  { index, label }: Target,
  several: boolean,
): string[] {
  if (classNames) return [[index, slug(label)].filter((part) => part !== '').join('-')];
  return several ? [String(index)] : [];
}

/**
 * Writes the files of one result: `NAME.METHOD[.CLASS].FORMAT`, `….layer.npy` where the map comes
 * from a layer, and `….top.png` where the method names superpixels.
 */
async function save(
  plan: ExplainPlan,
  method: Method,
  file: string,
  explanation: Explanation,
  prepared: PreparedInput,
  several: boolean,
): Promise<ResultRecord> {
  const stem = [
    plan.names.get(file),
    method.name,
    ...classSuffix(plan, explanation.target, several),
  ].join('.');
  const files: Partial<Record<Format | 'layer' | 'top', string>> & {
    [layer: `layer${number}`]: string;
  } = {};
  for (const format of plan.formats) {
    const path = join(plan.folder, `${stem}.${format}`);
    await writeFileAtomic(path, await encode(format, plan, method, explanation, prepared));
    files[format] = path;
  }
  const { layers = [] } = explanation;
  for (const [i, { map }] of plan.formats.includes('npy') ? layers.entries() : []) {
    const kind = layers.length === 1 ? 'layer' : (`layer${i + 1}` as const);
    const path = join(plan.folder, `${stem}.${kind}.npy`);
    await writeFileAtomic(path, encodeNpy(map));
    files[kind] = path;
  }
  if (explanation.region && plan.formats.includes('png')) {
    const picture = pictureOf(prepared, plan.model);
    const covered =
      prepared.image && inputRegion(picture.width, picture.height, plan.model.preprocessing);
    files.top = join(plan.folder, `${stem}.top.png`);
    await writeFileAtomic(files.top, await encodePng(cutOut(picture, explanation.region, covered)));
  }
  const { modelCalls, extras, model } = explanation.manifest;
  const { index, label, probability } = explanation.target;
  const seconds = Math.round(1000 * explanation.seconds) / 1000;
  return {
    image: file,
    model: model.name,
    method: method.name,
    target: { index, label, probability },
    files,
    seconds,
    modelCalls,
    extras,
  };
}

async function* explainFile(
  plan: ExplainPlan,
  { file, target }: ExplainItem,
  position: number,
): AsyncGenerator<Outcome> {
  const work = plan.items.length * plan.methods.length;
  const name = basename(file);
  plan.onProgress((position * plan.methods.length) / work, name);
  const prepared = await prepareFile(plan, file);
  for (const [i, { method, options }] of plan.methods.entries()) {
    const report = (share: number) =>
      plan.onProgress(
        (position * plan.methods.length + i + share) / work,
        `${name} · ${method.name}`,
      );
    report(0);
    try {
      const { seed, batchSize, signal, loadModel } = plan;
      const explanations = await explainAll(plan.model, prepared, {
        method,
        options,
        target: parseTarget(target),
        seed,
        batchSize,
        signal,
        loadModel,
        imageName: name,
        onProgress: report,
      });
      for (const explanation of explanations) {
        const record = await save(
          plan,
          method,
          file,
          explanation,
          prepared,
          explanations.length > 1,
        );
        yield { kind: 'done', record, explanation, prepared };
      }
    } catch (error) {
      if (endsRun(error, file)) throw error;
      yield { kind: 'failed', file, message: nameFile(file, error, method.name), error };
    }
  }
}

/** The message of an error, with the file's name before it where it does not begin with that. */
function nameFile(file: string, error: unknown, method?: string): string {
  const message = describeError(error);
  return message.startsWith(file) ? message : `${method ? `${file}, ${method}` : file}: ${message}`;
}

/**
 * Explains each file with each method and writes the results as they come. A file that cannot be
 * read, explained or written is an outcome like any other; the rest goes on.
 * @throws FoveaError `usage` for what is wrong with every file alike, `cancelled` if the signal
 * fires.
 */
export async function* explainFiles(plan: ExplainPlan): AsyncGenerator<Outcome> {
  for (const [position, item] of plan.items.entries()) {
    try {
      yield* explainFile(plan, item, position);
    } catch (error) {
      if (endsRun(error, item.file)) throw error;
      yield { kind: 'failed', file: item.file, message: nameFile(item.file, error), error };
    }
  }
}
