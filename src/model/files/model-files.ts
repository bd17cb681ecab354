import { FoveaError, messageOf } from '../../errors.ts';
import { parseJson } from '../../json.ts';
import { isOneFile, type OnnxModel, readModel } from '../../onnx/index.ts';
import type { OnnxModelSource } from '../onnx-model.ts';
import { type ModelConfig, parseModelJson } from './model-config.ts';

/** The models that come with Fovea. */
export const EMBEDDED_MODELS = ['demo-cnn', 'demo-cnn-biased', 'demo-vit'] as const;
export type EmbeddedModel = (typeof EMBEDDED_MODELS)[number];

/** Whether a source is the name of a model that comes with Fovea. */
export function isEmbeddedModel(source: unknown): source is EmbeddedModel {
  return EMBEDDED_MODELS.some((name) => name === source);
}

/**
 * A file in a model's folder by its relative path, or undefined if there is none; only
 * `../config.json` and `../preprocessor_config.json` lie outside.
 */
type ReadBeside = (path: string) => Promise<Uint8Array | undefined>;

/** A model file and how to read its neighbours, on a disk or on a web server. */
export interface ModelFiles {
  /** What the model is called in messages and manifests. */
  readonly name: string;
  /** File name of the model, without its folder. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /**
   * Whether the model lies in the folder `onnx` of the Hugging Face layout, whose parent holds the
   * configuration.
   */
  readonly isInOnnxFolder: boolean;
  readonly read: ReadBeside;
  /**
   * Reads a file with weights that the model names; `read` if not given. A disk refuses links that
   * lead out of the model's folder here, since whoever made the model chose the name.
   */
  readonly readWeights?: ReadBeside;
}

/** The largest file of settings, in bytes. A file with 22,000 labels has about 1 MB. */
export const MOST_JSON_BYTES = 32 * 2 ** 20;

/** JSON from a file's bytes. */
function readJson(bytes: Uint8Array, file: string): unknown {
  if (bytes.length > MOST_JSON_BYTES)
    throw new FoveaError(
      'model',
      `${file} has ${bytes.length} bytes: expected a file of settings, of at most ` +
        `${MOST_JSON_BYTES}`,
    );
  try {
    return parseJson(new TextDecoder().decode(bytes)); // which drops a byte order mark
  } catch (error) {
    throw new FoveaError('model', `${file} is not JSON: ${messageOf(error)}`, { cause: error });
  }
}

async function readHuggingFaceConfig({
  isInOnnxFolder,
  read,
}: ModelFiles): Promise<ModelConfig | undefined> {
  for (const folder of isInOnnxFolder ? ['', '../'] : ['']) {
    const [config, preprocessor] = await Promise.all(
      ['config.json', 'preprocessor_config.json'].map((name) => read(folder + name)),
    );
    if (!config && !preprocessor) continue;
    const { parseHuggingFaceConfig } = await import('./hugging-face-config.ts');
    return parseHuggingFaceConfig({
      config: config && readJson(config, 'config.json'),
      preprocessor: preprocessor && readJson(preprocessor, 'preprocessor_config.json'),
    });
  }
  return undefined;
}

/**
 * The settings beside a model. `NAME.json` is specific to the file, so it wins over `config.json`
 * if both have the same field.
 */
async function readConfig(files: ModelFiles): Promise<ModelConfig> {
  const own = files.file.replace(/\.onnx$/i, '.json');
  const json = own === files.file || own === 'config.json' ? undefined : await files.read(own);
  const first = json && parseModelJson(readJson(json, own), own);
  if (first?.labels && first.preprocessing) return first;
  const second = await readHuggingFaceConfig(files);
  return {
    ...second,
    ...first,
    warnings: [...(first?.preprocessing ? [] : (second?.warnings ?? []))],
  };
}

/** The contents of the files beside a model that hold its weights. */
async function readExternalData(files: ModelFiles): Promise<ReadonlyMap<string, Uint8Array>> {
  const model = readNamed(files);
  if (isOneFile(model.graph)) return new Map();
  const { readWeightFiles } = await import('./weight-files.ts');
  return readWeightFiles(model, files);
}

/** Reads a model; errors name it. */
function readNamed({ name, bytes }: ModelFiles): OnnxModel {
  try {
    return readModel(bytes);
  } catch (error) {
    if (error instanceof FoveaError)
      throw new FoveaError(error.code, `${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/**
 * Reads the input of `createOnnxModel` from a model file and the files beside it: labels and
 * preprocessing from `NAME.json`, or from `config.json` and `preprocessor_config.json`; weights
 * from the files that the model names.
 * @throws FoveaError `model` naming the file that is wrong or missing.
 */
export async function readModelFiles(files: ModelFiles): Promise<OnnxModelSource> {
  const [config, externalData] = [await readConfig(files), await readExternalData(files)];
  return {
    name: files.name,
    bytes: files.bytes,
    externalData,
    labels: config.labels,
    preprocessing: config.preprocessing,
    ...(config.independent && { independent: true }),
    warnings: config.warnings,
  };
}

/** Values from a caller that replace those of the files. */
export interface ModelOverrides {
  readonly labels?: readonly string[];
  readonly preprocessing?: OnnxModelSource['preprocessing'];
  /** What the scores are, where detection is wrong. */
  readonly output?: 'logits' | 'probabilities';
  /** Bytes of activations a batch may hold; 128 MB by default. */
  readonly memoryBudget?: number;
}

/** A source in which the caller's values replace those of the files. */
export function withOverrides(
  source: OnnxModelSource,
  { labels, preprocessing, output, memoryBudget }: ModelOverrides,
): OnnxModelSource {
  return {
    ...source,
    labels: labels ?? source.labels,
    preprocessing: preprocessing
      ? { ...source.preprocessing, ...preprocessing }
      : source.preprocessing,
    output: output ?? source.output,
    memoryBudget: memoryBudget ?? source.memoryBudget,
  };
}
