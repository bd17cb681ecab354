import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FoveaError, throwIfCancelled } from '../errors.ts';
import { checkBudget } from '../model/check-budget.ts';
import {
  EMBEDDED_MODELS,
  isEmbeddedModel,
  MOST_JSON_BYTES,
  type ModelOverrides,
  readModelFiles,
  withOverrides,
} from '../model/files/model-files.ts';
import { type PreprocessingInput, parsePreprocessing } from '../model/files/parse-preprocessing.ts';
import { createMeter } from '../model/meter.ts';
import type { Model } from '../model/model.ts';
import { createOnnxModel, type OnnxModelSource } from '../model/onnx-model.ts';
import { createRemoteModel } from '../model/remote-model.ts';
import { didYouMean } from '../near-names.ts';
import { createNodeRuntime } from '../runtime/onnxruntime-node.ts';
import type { Device } from '../runtime/runtime.ts';
import { type FetchModelOptions, fetchModelFiles, isHubId } from './hub.ts';
import { isMissing, readBytes, readWeights, unreadable } from './model-file.ts';
import { readLabels } from './read-labels.ts';
import { createRequestCache } from './request-cache.ts';

/** Options of `loadModel`. */
export interface LoadModelOptions
  extends Omit<ModelOverrides, 'labels' | 'preprocessing'>,
    FetchModelOptions {
  /** One label per class, or the path of a file with them: one per line, or JSON. */
  readonly labels?: readonly string[] | string;
  /** Replaces parts of the preprocessing from the files beside the model. */
  readonly preprocessing?: PreprocessingInput;
  /** `cpu` by default; `auto` uses the fastest device that starts. Not for remote models. */
  readonly device?: Device;
  /** Threads of the CPU device; by default one per physical core. */
  readonly threads?: number;
  /** Headers of every request to a remote model, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds that one request to a remote model may take; 60,000 by default. */
  readonly timeout?: number;
  /**
   * The most pictures that the model scores in its whole life; no limit by default. Responses of a
   * remote model that come from a cache do not count.
   */
  readonly budget?: number;
  /** Folder that keeps the responses of a remote model to identical requests; none by default. */
  readonly requestCache?: string;
}

const SOURCES =
  `expected ${EMBEDDED_MODELS.join(', ')}, an .onnx file, a folder in Hugging Face layout, a ` +
  'hub id (organisation/name), or an http(s) address of the Open Inference Protocol';

/** Other formats of models, which must be exported to ONNX first. */
const OTHER_FORMATS: Readonly<Record<string, string>> = {
  '.pt': 'PyTorch',
  '.pth': 'PyTorch',
  '.bin': 'PyTorch',
  '.ckpt': 'PyTorch Lightning or TensorFlow',
  '.safetensors': 'safetensors',
  '.h5': 'Keras',
  '.keras': 'Keras',
  '.pb': 'TensorFlow',
  '.tflite': 'TensorFlow Lite',
  '.mlmodel': 'Core ML',
  '.ort': 'ORT-format',
  '.xml': 'OpenVINO',
};

/** Reads a model file, and the files beside it. */
async function sourceOfFile(path: string, name: string): Promise<OnnxModelSource> {
  const format = OTHER_FORMATS[extname(path).toLowerCase()];
  if (format)
    throw new FoveaError('model', `${path} is a ${format} file: export the model to ONNX first`);
  const folder = dirname(resolve(path));
  const bytes = await readBytes(path).catch((error: unknown) =>
    Promise.reject(unreadable(path, error)),
  );
  const read = (file: string) =>
    readBytes(join(folder, file), MOST_JSON_BYTES).catch((error: unknown) =>
      isMissing(error) ? undefined : Promise.reject(unreadable(join(folder, file), error)),
    );
  return readModelFiles({
    name,
    file: basename(path),
    bytes,
    isInOnnxFolder: basename(folder) === 'onnx',
    read,
    readWeights: (file) => readWeights(folder, file),
  });
}

/**
 * The path of the model in a folder: the given file, `onnx/model.onnx`, `model.onnx`, or the only
 * `.onnx` file.
 */
async function findInFolder(folder: string, file: string | undefined): Promise<string> {
  const names = async (path: string) =>
    (await readdir(path).catch(() => [])).filter((name) => name.endsWith('.onnx')).sort();
  const found = [
    ...(await names(join(folder, 'onnx'))).map((name) => join('onnx', name)),
    ...(await names(folder)),
  ];
  if (file !== undefined) return join(folder, file);
  const usual = [join('onnx', 'model.onnx'), 'model.onnx'].find((name) => found.includes(name));
  if (usual) return join(folder, usual);
  const [only] = found;
  if (only !== undefined && found.length === 1) return join(folder, only);
  if (found.length === 0)
    throw new FoveaError(
      'model',
      `the folder ${folder} contains no model: expected onnx/model.onnx, model.onnx or one ` +
        `.onnx file`,
    );
  throw new FoveaError(
    'usage',
    `the folder ${folder} contains several models (${found.join(', ')}): give the path of one`,
  );
}

/** A short name for a model file: its own, or its folder's if the file is called `model.onnx`. */
function nameOf(path: string): string {
  const stem = basename(path).replace(/\.onnx$/i, '');
  if (stem !== 'model') return stem;
  const folder = dirname(resolve(path));
  return basename(basename(folder) === 'onnx' ? dirname(folder) : folder) || stem;
}

/** The path of an embedded model. It is the same relative path in `src/` and in `dist/`. */
function embeddedPath(name: string): string {
  return fileURLToPath(new URL(`../demo/models/${name}.onnx`, import.meta.url));
}

const isAddress = (source: string): boolean => /^https?:\/\//i.test(source);

/**
 * Reads the file of a model and the files beside it, without running the model. `source` is the
 * name of an embedded model, an `.onnx` file, a folder, or a model of the Hugging Face hub. If a
 * path of that name exists, it is a path.
 * @throws FoveaError `model` if there is no such model, `download` if it cannot be fetched,
 * `unsupported` for a model on a server, which has no file.
 */
export async function resolveModel(
  source: string,
  options: FetchModelOptions = {},
): Promise<OnnxModelSource> {
  throwIfCancelled(options.signal);
  if (isEmbeddedModel(source)) return sourceOfFile(embeddedPath(source), source);
  if (isAddress(source))
    throw new FoveaError(
      'unsupported',
      `${source} is a model on a server, so its file is not available`,
    );
  const path = source.startsWith('file:') ? fileURLToPath(source) : source;
  const entry = await stat(path).catch((error: unknown) =>
    isMissing(error) ? undefined : Promise.reject(unreadable(path, error)),
  );
  if (entry) {
    const file = entry.isDirectory() ? await findInFolder(path, options.file) : path;
    return sourceOfFile(file, nameOf(file));
  }
  const isPath = /^[./~]|[\\]|^[a-z]:/i.test(source) || extname(source) === '.onnx';
  if (isPath) throw new FoveaError('model', `the model file ${source} does not exist`);
  if (!isHubId(source)) {
    const hint = didYouMean(source, EMBEDDED_MODELS);
    throw new FoveaError('model', `there is no model "${source}": ${hint}${SOURCES}`);
  }
  const { folder, file } = await fetchModelFiles(source, options);
  return sourceOfFile(join(folder, file), source).catch((error: unknown) => {
    if (!(error instanceof FoveaError && error.code === 'model')) throw error;
    const advice = `it was downloaded before: delete ${folder} to download it again`;
    throw new FoveaError('model', `${error.message}; ${advice}`, { cause: error });
  });
}

/**
 * Loads a classifier: a model that `resolveModel` finds, or a model on a server of the Open
 * Inference Protocol.
 * @throws FoveaError as `resolveModel`; `model` if it is not an image classifier, `runtime` if the
 * device does not start, `usage` for impossible options.
 */
export async function loadModel(source: string, options: LoadModelOptions = {}): Promise<Model> {
  throwIfCancelled(options.signal);
  const { labels, preprocessing, budget } = options;
  checkBudget(budget);
  const given = {
    ...options,
    labels: typeof labels === 'string' ? await readLabels(labels) : labels,
    preprocessing: preprocessing && parsePreprocessing(preprocessing),
  };
  const { requestCache } = options;
  const cache = requestCache === undefined ? undefined : createRequestCache(requestCache);
  if (isAddress(source)) return createRemoteModel(source, { ...given, cache });
  const model = withOverrides(await resolveModel(source, options), given);
  throwIfCancelled(options.signal);
  const { device, threads } = options;
  const runtime = await createNodeRuntime({ device, threads });
  const warnings = [...(runtime.warnings ?? []), ...(model.warnings ?? [])];
  const loaded = await createOnnxModel({ ...model, warnings }, runtime);
  return budget === undefined ? loaded : createMeter(options.signal, budget).wrap(loaded);
}
