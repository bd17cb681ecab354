import { z } from 'zod';
import { FoveaError } from '../../errors.ts';
import type { FeatureMap, Model } from '../../model/model.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/** Which feature maps a method looks at. */
export const layerOption = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
  .default('last')
  .describe('tensor or node of the network whose feature map is used, or a list of them; last: the last feature map, found by itself');

/** How a layer's values [n, …] hold a picture: channels first or last, or tokens after `prefix` others. */
export type LayerLayout =
  | { readonly kind: 'channels-first' | 'channels-last'; readonly channels: number; readonly height: number; readonly width: number }
  | { readonly kind: 'tokens'; readonly prefix: number; readonly channels: number; readonly height: number; readonly width: number };

const describe = ({ name, channels, height, width, tokens }: FeatureMap): string => `${name} (${tokens ? 'tokens, ' : ''}${channels}×${height}×${width})`;

/** The feature maps that a user can choose from, in words. */
function candidates(model: Model): string {
  return (model.featureMaps?.() ?? []).map(describe).join(', ') || 'none were found';
}

/**
 * The names of the layers that an option names: the last feature map for `last`.
 * @throws FoveaError `unsupported` if the network has no feature map.
 */
export function chooseLayers(model: Model, option: z.output<typeof layerOption>): string[] {
  const maps = model.featureMaps?.() ?? [];
  return [option].flat().map((name) => {
    if (name !== 'last') return name;
    const last = maps.at(-1);
    if (!last) throw new FoveaError('unsupported', `${model.name} has no feature map that Fovea recognises: name a tensor with the option layer`);
    return last.name;
  });
}

/** Runs what needs layers by name, and lists those there are if one is not. */
export async function withLayers<T>(model: Model, names: readonly string[], run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof FoveaError) || error.code !== 'model' || !names.some((name) => error.message.includes(`"${name}"`))) throw error;
    throw new FoveaError('usage', `${error.message.replace(/\.$/, '')}; its feature maps are ${candidates(model)}`, { cause: error });
  }
}

const fits = (height: number, width: number, input: Tensor): boolean =>
  height > 1 && width > 1 && Math.abs(height * input.shape[3] - width * input.shape[2]) <= Math.max(input.shape[2], input.shape[3]);

/** Most tokens before the grid: class, distillation, registers. */
const MOST_PREFIX = 8;

/** A grid of the picture's shape after as few other tokens as possible. */
function tokenGrid(length: number, input: Tensor): { prefix: number; height: number; width: number } | undefined {
  for (let prefix = 0; prefix <= Math.min(MOST_PREFIX, length - 4); prefix++) {
    const height = Math.round(Math.sqrt(((length - prefix) * input.shape[2]) / input.shape[3]));
    const width = (length - prefix) / height;
    if (Number.isInteger(width) && fits(height, width, input)) return { prefix, height, width };
  }
  return undefined;
}

/** The grid that a sequence of tokens holds, and how many others come before it: as the network's own tokens have it, or by their number. */
export function gridOf(model: Model, length: number, input: Tensor): { prefix: number; height: number; width: number } | undefined {
  const known = model.featureMaps?.().find((map) => map.tokens && map.height * map.width + map.tokens.prefix === length);
  return known ? { prefix: known.tokens?.prefix ?? 0, height: known.height, width: known.width } : tokenGrid(length, input);
}

/**
 * How the values [n, …] of a layer hold the picture.
 * @throws FoveaError `usage` for a tensor that is no feature map, listing those that are.
 */
export function layoutOf(model: Model, name: string, values: Tensor, input: Tensor): LayerLayout {
  const shape = values.shape.slice(1);
  const [a, b, c] = shape;
  if (shape.length === 3 && fits(b, c, input)) return { kind: 'channels-first', channels: a, height: b, width: c };
  if (shape.length === 3 && fits(a, b, input)) return { kind: 'channels-last', channels: c, height: a, width: b };
  if (shape.length === 2) {
    const grid = gridOf(model, a, input);
    if (grid) return { kind: 'tokens', channels: b, ...grid };
  }
  throw new FoveaError(
    'usage',
    `the tensor "${name}" of ${model.name} is [${values.shape}], no feature map of the picture; its feature maps are ${candidates(model)}`,
  );
}

/** Row `index` of a layer's values as [channels, height, width]; tokens before the grid are left out. */
export function channelsFirst(values: Tensor, index: number, layout: LayerLayout): Tensor {
  const { channels, height, width } = layout;
  const area = height * width;
  const size = values.data.length / values.shape[0];
  const row = values.data.subarray(index * size, (index + 1) * size);
  if (layout.kind === 'channels-first') return tensor([channels, height, width], row);
  const from = layout.kind === 'tokens' ? layout.prefix * channels : 0;
  const result = new Float32Array(channels * area);
  for (let i = 0; i < area; i++) for (let c = 0; c < channels; c++) result[c * area + i] = row[from + i * channels + c];
  return tensor([channels, height, width], result);
}

/** Where channel `c` of cell `cell` stands in one picture's values. */
export function offsetOf(layout: LayerLayout, c: number, cell: number): number {
  if (layout.kind === 'channels-first') return c * layout.height * layout.width + cell;
  return ((layout.kind === 'tokens' ? layout.prefix : 0) + cell) * layout.channels + c;
}
