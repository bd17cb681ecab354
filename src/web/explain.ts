import {
  type DefaultMethod,
  type ExplainOptions,
  explainAll as explainAllPrepared,
  explain as explainPrepared,
} from '../explain.ts';
import type { Explanation } from '../explanation.ts';
import type { Method, MethodName } from '../methods/method.ts';
import type { Model } from '../model/model.ts';
import {
  type ExplainInput,
  type PreparedInput,
  prepareInput as prepare,
} from '../prepare-input.ts';
import { type ImageInput, isImageInput, readImage } from './read-image.ts';

/** Reads a picture of a page; returns any other source unchanged. */
const read = <Other>(
  source: Other | ImageInput,
  signal: AbortSignal | undefined,
): Other | Promise<Awaited<ReturnType<typeof readImage>>> =>
  isImageInput(source) ? readImage(source, { signal }) : source;

/**
 * Explains one class of a picture: `explain(model, document.images[0], { method: rise })`. The
 * picture is an `<img>`, a canvas, an address, a file, or what `readImage` or `prepareInput`
 * returned.
 * @throws FoveaError as `explainAll`; `usage` if the target names more than one class.
 */
export async function explain<M extends Method | MethodName = DefaultMethod>(
  model: Model,
  source: ExplainInput | PreparedInput | ImageInput,
  options: ExplainOptions<M> = {},
): Promise<Explanation> {
  return explainPrepared(model, await read(source, options.signal), options);
}

/**
 * Explains every class that `target` names, in the order of their scores, with one method.
 * @throws FoveaError with a stable code; `cancelled` if the signal fires, `image` if the picture
 * cannot be read.
 */
export async function explainAll<M extends Method | MethodName = DefaultMethod>(
  model: Model,
  source: ExplainInput | PreparedInput | ImageInput,
  options: ExplainOptions<M> = {},
): Promise<Explanation[]> {
  return explainAllPrepared(model, await read(source, options.signal), options);
}

/**
 * Reads, preprocesses and classifies a picture. Several `explain` calls can share the result.
 * @throws FoveaError `image` if the picture cannot be read.
 */
export async function prepareInput(
  model: Model,
  source: ExplainInput | ImageInput,
  signal?: AbortSignal,
): Promise<PreparedInput> {
  return prepare(model, await read(source, signal), signal);
}
