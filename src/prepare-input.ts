import { FoveaError, throwIfCancelled } from './errors.ts';
import type { Image } from './image/image.ts';
import { channelsOf, inputRegion, preprocess, type Region } from './model/input/preprocessing.ts';
import type { Model } from './model/model.ts';
import { sha256 } from './sha256.ts';
import { reshape, type Tensor } from './tensor/tensor.ts';

/** A picture, or a tensor [1, C, H, W] that is already preprocessed. */
export type ExplainInput = Image | Tensor;

/** A picture as the model's input, with its probabilities. It is computed once for all methods. */
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
 * Preprocesses and classifies a picture. Several calls of `explain` and `explainAll` can share the
 * result.
 */
export async function prepareInput(
  model: Model,
  source: ExplainInput,
  signal?: AbortSignal,
): Promise<PreparedInput> {
  throwIfCancelled(signal);
  checkSource(source);
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

/** Refuses a value that is neither a picture nor a tensor, such as a path or a page element. */
function checkSource(source: unknown): void {
  const { width, height, shape, data } = Object(source) as Readonly<Record<string, unknown>>;
  const isPicture =
    data instanceof Uint8Array && data.length === 3 * Number(width) * Number(height);
  if (isPicture || (data instanceof Float32Array && Array.isArray(shape))) return;
  const kind = source == null ? String(source) : Object(source).constructor?.name;
  const name = typeof source === 'string' ? `"${source}"` : (kind ?? 'an object');
  const what = data instanceof Uint8Array ? `${data.length} bytes for ${width}×${height}` : name;
  throw new FoveaError(
    'usage',
    `expected a picture with 3 bytes per pixel (RGB) or a tensor [1, C, H, W], got ${what}: ` +
      'pass what readImage returns',
  );
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
    throw new FoveaError('usage', 'the input tensor has NaN or infinite values');
  return given;
}

/** Prepares a picture; returns an input that is prepared already unchanged. */
export function prepare(
  model: Model,
  source: ExplainInput | PreparedInput,
  signal: AbortSignal | undefined,
): PreparedInput | Promise<PreparedInput> {
  const isPrepared = typeof source === 'object' && source !== null && 'probabilities' in source;
  return isPrepared ? source : prepareInput(model, source, signal);
}

/** The part of a picture that the model sees; the whole of a tensor. */
export function regionOf(
  { preprocessing }: Model,
  { image, width, height }: PreparedInput,
): Region {
  return image ? inputRegion(width, height, preprocessing) : { left: 0, top: 0, width, height };
}
