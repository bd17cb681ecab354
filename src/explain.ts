import { FoveaError, throwIfCancelled } from './errors.ts';
import type { Explanation } from './explanation.ts';
import type { Image } from './image/image.ts';
import type { Json } from './json.ts';
import { findMethod } from './methods/index.ts';
import type { Attribution, Method, Need, PartialMap } from './methods/method.ts';
import { channelsOf, preprocess } from './model/input/preprocessing.ts';
import { createMeter } from './model/meter.ts';
import type { Model } from './model/model.ts';
import { resolveTargets, type Target, type TargetSpec } from './model/target.ts';
import { parseOptions } from './options.ts';
import { sha256 } from './sha256.ts';
import { createRandom } from './tensor/random.ts';
import { mean } from './tensor/statistics.ts';
import { reshape, type Tensor } from './tensor/tensor.ts';
import { VERSION } from './version.ts';

/** A picture, or a tensor [1, C, H, W] that is already preprocessed. */
export type ExplainInput = Image | Tensor;

export interface ExplainOptions {
  /** Name of a method (see `methods`); `iassa` by default. */
  method?: string;
  /** `top1` (default), `top:N`, a class index or a label. */
  target?: TargetSpec;
  /** The method's own options; what is left out takes its default. */
  options?: Readonly<Record<string, unknown>>;
  /** Seeds all randomness; 0 by default. */
  seed?: number;
  /** Names the picture in the manifest. */
  imageName?: string;
  /**
   * Pictures a session call; by default as many as the memory budget allows. Results do not depend
   * on it.
   */
  batchSize?: number;
  signal?: AbortSignal;
  /** Share of the work done, 0 … 1. */
  onProgress?: (share: number) => void;
  /**
   * Every intermediate map of an anytime method (IASSA, RISE); answer `true` when content, and the
   * method ends there.
   */
  onMap?: (partial: PartialMap) => unknown;
  /** How a method loads a second model by name, if one of its options names one. */
  loadModel?: (source: string) => Promise<Model>;
}

function isImage(input: ExplainInput): input is Image {
  return 'width' in input;
}

function checkTensor(model: Model, input: Tensor): Tensor {
  const wanted = [1, channelsOf(model.preprocessing), ...model.preprocessing.size];
  const given = input.shape.length === 3 ? reshape(input, [1, ...input.shape]) : input;
  if (given.shape.join() !== wanted.join()) {
    throw new FoveaError(
      'usage',
      `the input tensor is ${input.shape.join('×')}, ${model.name} takes ${wanted.join('×')}`,
    );
  }
  if (given.data.some((value) => !Number.isFinite(value)))
    throw new FoveaError('usage', 'the input tensor holds NaN or infinite values');
  return given;
}

/**
 * The picture as the model's input, and its probabilities; computed once for all methods of one
 * picture.
 */
export interface PreparedInput {
  readonly input: Tensor;
  readonly image?: Image;
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  /** Probability of every class for the whole picture, [classes]. */
  readonly probabilities: Float32Array;
}

/**
 * Decoded picture -> preprocessed tensor -> classified. Share the result between several
 * `explainAll` calls.
 */
export async function prepareInput(
  model: Model,
  source: ExplainInput,
  signal?: AbortSignal,
): Promise<PreparedInput> {
  throwIfCancelled(signal);
  const picture = isImage(source) ? source : undefined;
  const input = isImage(source)
    ? preprocess(source, model.preprocessing)
    : checkTensor(model, source);
  const bytes = isImage(source)
    ? source.data
    : new Uint8Array(input.data.buffer, input.data.byteOffset, input.data.byteLength);
  const { data } = await model.classify(input, { signal });
  const [height, width] = picture ? [picture.height, picture.width] : model.preprocessing.size;
  return { input, image: picture, sha256: await sha256(bytes), width, height, probabilities: data };
}

/** A method that looks inside needs a model that shows its inside. */
function checkNeeds(method: Method, model: Model): void {
  const given: Record<Need, unknown> = {
    'black-box': true,
    gradients: model.inside,
    features: model.inside,
    attention: model.inside,
  };
  const lacking = method.needs.find((need) => !given[need]);
  if (!lacking) return;
  const words: Record<Need, string> = {
    'black-box': 'scores',
    gradients: 'gradients',
    features: 'feature maps',
    attention: 'attention maps',
  };
  const reason = `${method.name} needs ${words[lacking]}, which ${model.name} (${model.runtime}) does not give`;
  throw new FoveaError(
    'unsupported',
    `${reason}: use an ONNX model, or a method that asks for scores only, such as rise, iassa or occlusion`,
  );
}

function checkMap(method: Method, attribution: Attribution, input: Tensor): void {
  const [height, width] = attribution.map.shape;
  if (height !== input.shape[2] || width !== input.shape[3]) {
    throw new FoveaError(
      'internal',
      `${method.name} answered a map of ${height}×${width} for an input of ${input.shape[2]}×${input.shape[3]}`,
    );
  }
  if (attribution.map.data.some((value) => !Number.isFinite(value)))
    throw new FoveaError('internal', `${method.name} answered a map with NaN or infinite values`);
}

/** The parts of a manifest that all targets of one request share. */
function manifestFor(
  model: Model,
  method: Method,
  options: ExplainOptions,
  parsed: object,
  prepared: PreparedInput,
) {
  return {
    fovea: VERSION,
    method: method.name,
    options: JSON.parse(JSON.stringify(parsed)) as { [key: string]: Json },
    seed: options.seed ?? 0,
    model: {
      name: model.name,
      fingerprint: model.fingerprint,
      output: model.output,
      runtime: model.runtime,
    },
    image: {
      name: options.imageName ?? '',
      sha256: prepared.sha256,
      width: prepared.width,
      height: prepared.height,
    },
    preprocessing: model.preprocessing,
    warnings: model.warnings,
  };
}

/**
 * Explains every class that `target` names, in the order of their scores, with one method. Methods
 * that can answer several classes from the same model calls do; `modelCalls` counts them for all
 * together.
 * @throws FoveaError with a stable code; `cancelled` if the signal fires.
 */
export async function explainAll(
  model: Model,
  source: ExplainInput | PreparedInput,
  options: ExplainOptions = {},
): Promise<Explanation[]> {
  const method = findMethod(options.method ?? 'iassa');
  const parsed = parseOptions(method, options.options ?? {});
  const seed = options.seed ?? 0;
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new FoveaError('usage', `seed ${seed}: expected a whole number from 0`);
  checkNeeds(method, model);
  const prepared =
    'probabilities' in source ? source : await prepareInput(model, source, options.signal);
  const targets = resolveTargets(model, prepared.probabilities, options.target);
  const meter = createMeter(options.signal);
  const loaded: Model[] = [];
  const loadModel = async (name: string) => {
    if (!options.loadModel)
      throw new FoveaError(
        'usage',
        `${method.name} asks for the model "${name}": pass loadModel to explain`,
      );
    const other = await options.loadModel(name);
    loaded.push(other);
    return meter.wrap(other);
  };
  const started = performance.now();
  try {
    const context = {
      model: meter.wrap(model),
      input: prepared.input,
      image: prepared.image,
      batchSize: options.batchSize,
      loadModel,
    };
    const attribute = async (name: string, target: Target): Promise<Attribution> => {
      const other = findMethod(name);
      if (other === method)
        throw new FoveaError(
          'usage',
          `${method.name} cannot build on its own map: name another method`,
        );
      checkNeeds(other, model);
      const random = createRandom(seed).fork(other.name);
      const [answer] = await other.explain({
        ...context,
        targets: [target],
        options: parseOptions(other, {}),
        random,
        progress() {},
        offer: () => false,
        attribute,
      });
      return answer;
    };
    const attributions = await method.explain({
      ...context,
      targets,
      options: parsed,
      random: createRandom(seed).fork(method.name),
      progress: options.onProgress ?? (() => {}),
      offer: (partial) => options.onMap?.(partial) === true,
      attribute,
    });
    const seconds = (performance.now() - started) / 1000;
    const shared = manifestFor(model, method, options, parsed, prepared);
    return attributions.map((attribution, i) => {
      checkMap(method, attribution, prepared.input);
      const { map, standardError, channels, layers, region, warnings = [], extras } = attribution;
      const error = standardError && { standardError: mean(standardError.data) };
      const told = [...shared.warnings, ...warnings];
      const manifest = {
        ...shared,
        warnings: told,
        target: targets[i],
        modelCalls: meter.calls(),
        ...error,
        extras: extras ?? {},
      };
      return {
        map,
        target: targets[i],
        standardError,
        channels,
        layers,
        region,
        manifest,
        seconds,
      };
    });
  } finally {
    await Promise.all(loaded.map((other) => other.dispose()));
  }
}

/**
 * Explains one class of a picture: `explain(model, picture, { method: 'rise' })`.
 * @throws FoveaError as `explainAll`; `usage` if the target names more than one class.
 */
export async function explain(
  model: Model,
  source: ExplainInput | PreparedInput,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const prepared =
    'probabilities' in source ? source : await prepareInput(model, source, options.signal);
  const { length } = resolveTargets(model, prepared.probabilities, options.target);
  if (length !== 1)
    throw new FoveaError(
      'usage',
      `target ${options.target} names ${length} classes: use explainAll`,
    );
  return (await explainAll(model, prepared, options))[0];
}
