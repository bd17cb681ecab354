import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import { type FeatureMap, type MapLayout, type Model, requireInside } from '../../model/model.ts';
import { hasAspect, MOST_PREFIX } from '../../model/network/feature-maps.ts';
import { option } from '../../options.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** The option for the feature maps that a method uses. */
export const layerOption = option(
  v.union([
    v.pipe(v.string(), v.minLength(1)),
    v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
  ]),
  'last',
  'name of the tensor or node whose feature map is used, or a list of names; last: the last ' +
    'feature map, which Fovea finds',
);

const describe = ({ name, layout, channels, height, width }: FeatureMap): string =>
  `${name} (${layout === 'tokens' ? 'tokens, ' : ''}${channels}×${height}×${width})`;

/** The feature maps that a user can choose, as text. */
function candidates(model: Model): string {
  return requireInside(model).featureMaps().map(describe).join(', ') || 'none were found';
}

/**
 * The names of the layers that the option chooses. `last` becomes the name of the last feature map.
 * @throws FoveaError `unsupported` if the network has no feature map.
 */
export function chooseLayers(model: Model, option: v.InferOutput<typeof layerOption>): string[] {
  const maps = requireInside(model).featureMaps();
  return [option].flat().map((name) => {
    if (name !== 'last') return name;
    const last = maps.at(-1);
    if (!last)
      throw new FoveaError(
        'unsupported',
        `${model.name} has no feature map that Fovea recognizes: name a tensor with the ` +
          'option layer',
      );
    return last.name;
  });
}

/**
 * Calls `run`, which uses layers by name. If one of the names does not exist, the error lists the
 * feature maps of the model.
 * @throws FoveaError `usage` for an unknown layer.
 */
export async function withLayers<T>(
  model: Model,
  names: readonly string[],
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (
      !(error instanceof FoveaError) ||
      error.code !== 'model' ||
      !names.some((name) => error.message.includes(`"${name}"`))
    )
      throw error;
    throw new FoveaError(
      'usage',
      `${error.message.replace(/\.$/, '')}; its feature maps are ${candidates(model)}`,
      { cause: error },
    );
  }
}

const pictureOf = ({ shape: [, , height = 0, width = 0] }: Tensor) => ({ height, width });

/**
 * The grid with the shape of the picture that leaves the fewest other tokens before it; undefined
 * if there is none.
 */
function tokenGrid(
  length: number,
  input: Tensor,
): { prefix: number; height: number; width: number } | undefined {
  const picture = pictureOf(input);
  for (let prefix = 0; prefix <= Math.min(MOST_PREFIX, length - 4); prefix++) {
    const height = Math.round(Math.sqrt(((length - prefix) * picture.height) / picture.width));
    const width = (length - prefix) / height;
    if (Number.isInteger(width) && hasAspect(height, width, picture))
      return { prefix, height, width };
  }
  return undefined;
}

/**
 * The grid in a sequence of tokens, and the number of other tokens before it. It is taken from a
 * feature map of the network with the same number of tokens, or derived from the number of tokens.
 * Undefined if there is no such grid.
 */
export function gridOf(
  model: Model,
  length: number,
  input: Tensor,
): { prefix: number; height: number; width: number } | undefined {
  const maps = requireInside(model).featureMaps();
  const known = maps.find(
    ({ layout, height, width, prefix }) =>
      layout === 'tokens' && height * width + prefix === length,
  );
  return known
    ? { prefix: known.prefix, height: known.height, width: known.width }
    : tokenGrid(length, input);
}

/**
 * Which axes of the values [n, …] of a layer are channels, rows and columns.
 * @throws FoveaError `usage` for a tensor that is not a feature map. The message lists the feature
 * maps.
 */
export function layoutOf(model: Model, name: string, values: Tensor, input: Tensor): MapLayout {
  const shape = values.shape.slice(1);
  const [a = 0, b = 0, c = 0] = shape;
  const maps = requireInside(model).featureMaps();
  const found = maps.find((map) => map.name === name);
  if (found) return found;
  if (shape.length === 3 && hasAspect(b, c, pictureOf(input)))
    return { layout: 'channels-first', channels: a, height: b, width: c, prefix: 0 };
  if (shape.length === 3 && hasAspect(a, b, pictureOf(input)))
    return { layout: 'channels-last', channels: c, height: a, width: b, prefix: 0 };
  if (shape.length === 2) {
    const grid = gridOf(model, a, input);
    if (grid) return { layout: 'tokens', channels: b, ...grid };
  }
  throw new FoveaError(
    'usage',
    `the tensor "${name}" of ${model.name} is [${values.shape}], which is not a feature map ` +
      `of the picture; the feature maps are ${candidates(model)}`,
  );
}
