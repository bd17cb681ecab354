import * as v from 'valibot';
import { interpolate } from '../../image/interpolate.ts';
import { option } from '../../options.ts';
import { extent } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution, LayerMap, MethodContext } from '../method.ts';
import { gradientsOf, outputOption, repeat } from './gradients.ts';
import { channelsFirst, chooseLayers, layerOption, layoutOf, withLayers } from './layers.ts';

/** Options that all class activation maps share. */
export const camOptions = {
  layer: layerOption,
  output: outputOption,
  relu: option(
    v.boolean(),
    false,
    'whether negative values, evidence against the class, are set to zero, as in the paper',
  ),
};

/** The values of `camOptions`. */
export interface CamOptions {
  readonly layer: string | string[];
  readonly output: 'logit' | 'probability';
  readonly relu: boolean;
}

/**
 * Computes a map [h, w] from activations and gradients [channels, h, w] of one layer. Sums must use
 * double precision.
 */
export type Weigh = (activations: Tensor, gradients: Tensor) => Tensor;

/** sum_c weight(c) · A_c, a map [h, w] from activations [channels, h, w]. */
export function weightedSum(activations: Tensor, weights: ArrayLike<number>): Tensor {
  const [channels, height, width] = activations.shape;
  const area = height * width;
  const sum = new Float64Array(area);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < area; i++) sum[i] += weights[c] * activations.data[c * area + i];
  return tensor([height, width], Float32Array.from(sum));
}

/** One number per channel, [channels]: the sum over its cells of f(activation, gradient). */
export function channelSums(
  activations: Tensor,
  gradients: Tensor,
  f: (a: number, g: number) => number,
): Float64Array {
  const area = activations.shape[1] * activations.shape[2];
  const sums = new Float64Array(activations.shape[0]);
  for (let i = 0; i < activations.data.length; i++)
    sums[Math.floor(i / area)] += f(activations.data[i], gradients.data[i]);
  return sums;
}

/** sum_c f(A_c, G_c) for each cell, [h, w]. */
export function cellSums(
  activations: Tensor,
  gradients: Tensor,
  f: (a: number, g: number) => number,
): Tensor {
  const [, height, width] = activations.shape;
  const area = height * width;
  const sum = new Float64Array(area);
  for (let i = 0; i < activations.data.length; i++)
    sum[i % area] += f(activations.data[i], gradients.data[i]);
  return tensor([height, width], Float32Array.from(sum));
}

/** max(x, 0) */
const positive = (x: Tensor): Tensor =>
  tensor(
    x.shape,
    x.data.map((value) => Math.max(0, value)),
  );

/**
 * The attribution of the maps of one or several layers. With `relu`, negative values become 0. Maps
 * are upsampled to [height, width] with half-pixel centers. Several layers differ in scale, so each
 * is divided by its largest magnitude, and the result is their mean.
 */
export function fromLayers(
  layers: readonly LayerMap[],
  relu: boolean,
  height: number,
  width: number,
  extras: Attribution['extras'] = {},
  mode: 'bilinear' | 'bicubic' = 'bilinear',
): Attribution {
  const total = new Float64Array(height * width);
  for (const { map } of layers) {
    const clipped = relu ? positive(map) : map;
    const [min, max] = extent(clipped.data);
    const scale =
      layers.length === 1
        ? 1
        : 1 / (layers.length * Math.max(Math.abs(min), Math.abs(max), Number.MIN_VALUE));
    const up = interpolate(clipped, height, width, { mode });
    for (let i = 0; i < total.length; i++) total[i] += scale * up.data[i];
  }
  const map = tensor([height, width], Float32Array.from(total));
  const shapes = layers.map(({ layer, map: { shape } }) => ({
    layer,
    height: shape[0],
    width: shape[1],
  }));
  return { map, ...(relu && { signed: false }), layers, extras: { layers: shapes, ...extras } };
}

/** Differences up to this share of the largest gradient count as rounding. */
const ROUNDING = 1e-6;

/** Whether, in each channel, the gradients [channels, h, w] are the same in all cells. */
function isUniform({ shape, data }: Tensor): boolean {
  const [channels = 0, height = 0, width = 0] = shape;
  const area = height * width;
  const [low, high] = extent(data);
  const most = ROUNDING * Math.max(Math.abs(low), Math.abs(high));
  return Array.from({ length: channels }, (_, c) =>
    extent(data.subarray(c * area, (c + 1) * area)),
  ).every(([min, max]) => max - min <= most);
}

/**
 * The warning for methods whose map equals the map of Grad-CAM if the gradients of all layers are
 * uniform. Gradients are uniform before global average pooling and one dense layer.
 */
export const warnIfGradCam = (gradients: readonly Tensor[]): string[] =>
  gradients.every(isUniform)
    ? [
        'the gradient is the same in all cells of the layer, so this map equals the map of ' +
          'grad-cam: choose an earlier layer to see a difference',
      ]
    : [];

/** The warning of LayerCAM if the gradients of all layers are uniform. */
export const warnIfPositiveGradCam = (gradients: readonly Tensor[]): string[] =>
  gradients.every(isUniform)
    ? [
        'the gradient is the same in all cells of the layer, so this map equals the map of ' +
          'grad-cam without its negative weights: choose an earlier layer to see a difference',
      ]
    : [];

/**
 * Computes a class activation map: one forward and one backward pass per class, then `weigh` for
 * each layer. `warn` gets the gradients of all layers, [channels, h, w] each, and returns warnings.
 */
export async function explainCam(
  { model, input, targets, options, batchSize, progress }: MethodContext<CamOptions>,
  weigh: Weigh,
  warn: (gradients: readonly Tensor[]) => string[] = () => [],
): Promise<Attribution[]> {
  const [, , height, width] = input.shape;
  const names = chooseLayers(model, options.layer);
  const classes = targets.map((target) => target.index);
  const { values, gradients } = await withLayers(model, names, () =>
    gradientsOf(model, {
      batch: repeat(input, classes.length),
      wrt: names,
      targets: classes,
      score: options.output,
      batchSize,
    }),
  );
  const layouts = names.map((name, l) => layoutOf(model, name, values[l], input));
  progress(1);
  return targets.map((_, t) => {
    const own = gradients.map((gradient, l) => channelsFirst(gradient, t, layouts[l]));
    const layers = names.map((layer, l) => ({
      layer,
      map: weigh(channelsFirst(values[l], t, layouts[l]), own[l]),
    }));
    return { ...fromLayers(layers, options.relu, height, width), warnings: warn(own) };
  });
}
