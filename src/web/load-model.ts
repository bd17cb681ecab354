import { FoveaError, messageOf, throwIfCancelled } from '../errors.ts';
import {
  EMBEDDED_MODELS,
  type EmbeddedModel,
  isEmbeddedModel,
  type ModelOverrides,
  readModelFiles,
  withOverrides,
} from '../model/files/model-files.ts';
import type { PreprocessingInput } from '../model/files/parse-preprocessing.ts';
import type { Model } from '../model/model.ts';
import { createOnnxModel, type OnnxModelSource } from '../model/onnx-model.ts';
import { createWebRuntime, type WebRuntimeOptions } from '../runtime/onnxruntime-web.ts';

/**
 * The source of a model: the name of an embedded model, an address, the bytes of an `.onnx` file,
 * or files that a user dropped or chose.
 */
export type ModelInput = string | URL | Uint8Array | Blob | readonly File[];

/** Options of `loadModel` in browsers. */
export interface LoadModelOptions extends Omit<ModelOverrides, 'preprocessing'>, WebRuntimeOptions {
  /** Replaces parts of the preprocessing from the files beside the model. */
  readonly preprocessing?: PreprocessingInput;
  /** The name of a model that is given as bytes; `model` by default. */
  readonly name?: string;
  /** Headers of every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Called with the share of the model file that has arrived, 0 … 1, if its size is known. */
  readonly onProgress?: (share: number) => void;
  readonly signal?: AbortSignal;
}

/** The addresses of the files of an embedded model. */
export interface EmbeddedUrls {
  readonly model: () => URL;
  readonly json: () => URL;
}

let embedded: Readonly<Record<EmbeddedModel, EmbeddedUrls>> | undefined;

/** Sets the addresses of the embedded models for `loadModel`. */
export function registerDemoModels(urls: Readonly<Record<EmbeddedModel, EmbeddedUrls>>): void {
  embedded = urls;
}

type CreateModel = (source: OnnxModelSource, options: LoadModelOptions) => Promise<Model>;

let createChecked: CreateModel | undefined;

/** Tells `loadModel` how to choose the device of a model by comparing its results. */
export function registerCheckedModels(create: CreateModel): void {
  createChecked = create;
}

/** Whether this is a page or a worker, for whose origin other servers must allow requests. */
const hasOrigin = (): boolean => globalThis.location !== undefined;

const USE_NODE = 'use loadModel of fovea/node on a server';

async function request(url: URL, { headers, signal }: LoadModelOptions): Promise<Response> {
  try {
    return await fetch(url, { headers, signal });
  } catch (error) {
    throwIfCancelled(signal);
    const hint = hasOrigin()
      ? `and that ${url.host || 'its server'} allows other origins (CORS)`
      : `or ${USE_NODE}`;
    throw new FoveaError(
      'download',
      `${url} could not be fetched (${messageOf(error)}): check the address and the ` +
        `connection, ${hint}`,
      { cause: error },
    );
  }
}

/** The body of a response; its progress is reported if the server says how long it is. */
async function readBody(response: Response, options: LoadModelOptions): Promise<Uint8Array> {
  if (!options.onProgress || !response.body) return new Uint8Array(await response.arrayBuffer());
  const { readWithProgress } = await import('./read-with-progress.ts');
  return readWithProgress(response, options.onProgress, options.signal);
}

/** Reads a file that may be missing. Many servers send an HTML page for a missing file. */
async function readOptional(url: URL, options: LoadModelOptions): Promise<Uint8Array | undefined> {
  const response = await request(url, options);
  const isPage = response.headers.get('content-type')?.includes('text/html') ?? false;
  if (response.ok && !isPage) return new Uint8Array(await response.arrayBuffer());
  await response.body?.cancel();
  return undefined;
}

async function readRequired(url: URL, options: LoadModelOptions): Promise<Uint8Array> {
  const response = await request(url, options);
  if (!response.ok)
    throw new FoveaError('download', `${url} could not be fetched: HTTP ${response.status}`);
  if (response.headers.get('content-type')?.includes('text/html'))
    throw new FoveaError('model', `${url} is a web page, not an ONNX file: expected ${EXPECTED}`);
  try {
    return await readBody(response, options);
  } catch (error) {
    throwIfCancelled(options.signal);
    throw error instanceof FoveaError
      ? error
      : new FoveaError('download', `${url} broke off: ${messageOf(error)}`, { cause: error });
  }
}

async function sourceOfUrl(url: URL, options: LoadModelOptions): Promise<OnnxModelSource> {
  const bytes = await readRequired(url, options);
  const parts = url.pathname.split('/');
  const file = decodeURIComponent(parts.at(-1) ?? '');
  const beside = (path: string) => {
    const target = new URL(
      path
        .split('/')
        .map((part) => (part === '..' ? part : encodeURIComponent(part)))
        .join('/'),
      url,
    );
    target.search = url.search; // access tokens, revisions
    return readOptional(target, options);
  };
  return readModelFiles({
    name: options.name ?? file.replace(/\.onnx$/i, ''),
    file,
    bytes,
    isInOnnxFolder: parts.at(-2) === 'onnx',
    read: beside,
  });
}

async function sourceOfEmbedded(
  name: EmbeddedModel,
  options: LoadModelOptions,
): Promise<OnnxModelSource> {
  if (!embedded)
    throw new FoveaError(
      'usage',
      `the files of ${name} are not part of this page: import 'fovea/web/demo-models' too`,
    );
  const { model, json } = embedded[name];
  const bytes = await readRequired(model(), options);
  return readModelFiles({
    name,
    file: `${name}.onnx`,
    bytes,
    isInOnnxFolder: false,
    read: async (path) => (path === `${name}.json` ? readOptional(json(), options) : undefined),
  });
}

const EXPECTED =
  'the address of an .onnx file or of an Open Inference Protocol model, or a demo ' +
  `model (${EMBEDDED_MODELS.join(', ')})`;

function urlOf(source: string | URL): URL {
  const base = globalThis.document?.baseURI ?? globalThis.location?.href;
  if (URL.canParse(String(source), base)) return new URL(source, base);
  const hint = hasOrigin() ? '' : `; ${USE_NODE}`;
  throw new FoveaError('usage', `"${source}" is not a model: expected ${EXPECTED}${hint}`);
}

const isFiles = (source: ModelInput): source is File | readonly File[] =>
  Array.isArray(source) || source instanceof File;

/** The preprocessing of a caller. Most pages give none, so its spellings are loaded on demand. */
async function parsed(preprocessing: PreprocessingInput) {
  const { parsePreprocessing } = await import('../model/files/parse-preprocessing.ts');
  return parsePreprocessing(preprocessing);
}

/**
 * Loads a classifier in a browser: the address or the bytes of an `.onnx` file, files that a user
 * dropped or chose, a demo model by its name (after `import 'fovea/web/demo-models'`), or the
 * address `…/v2/models/NAME` of a model server. It also reads `NAME.json`, or `config.json` and
 * `preprocessor_config.json`, beside the address of a file or among several files. For bytes, pass
 * labels and preprocessing as options.
 * @throws FoveaError `download` if it cannot be fetched, `model` if it is not an image classifier,
 * `runtime` if the device does not start.
 */
export async function loadModel(
  source: ModelInput,
  options: LoadModelOptions = {},
): Promise<Model> {
  throwIfCancelled(options.signal);
  const { preprocessing } = options;
  const given = { ...options, preprocessing: preprocessing && (await parsed(preprocessing)) };
  const load = async (onnx: OnnxModelSource) => {
    const complete = withOverrides(onnx, given);
    return createChecked && (given.device ?? 'cpu') !== 'cpu'
      ? createChecked(complete, given)
      : createOnnxModel(complete, await createWebRuntime(given));
  };
  if (source instanceof Uint8Array) return load({ name: options.name ?? 'model', bytes: source });
  if (isFiles(source)) {
    const { modelFilesOf } = await import('./dropped-files.ts');
    return load(await readModelFiles(await modelFilesOf([source].flat(), options.name)));
  }
  if (source instanceof Blob) {
    const bytes = new Uint8Array(await source.arrayBuffer());
    return load({ name: options.name ?? 'model', bytes });
  }
  if (isEmbeddedModel(source)) return load(await sourceOfEmbedded(source, given));
  const url = urlOf(source);
  if (/\/v2\/models\/[^/]+/.test(url.pathname) && !url.pathname.endsWith('.onnx'))
    return (await import('../model/remote-model.ts')).createRemoteModel(url.href, given);
  return load(await sourceOfUrl(url, given));
}
