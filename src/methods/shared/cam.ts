import * as v from 'valibot';
import { interpolate } from '../../image/resize.ts';
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
 * A map [h, w] of activations and gradients [channels, h, w] of one layer, at double precision
 * where it sums.
 */
export type Weigh = (activations: Tensor, gradients: Tensor) => Tensor;

/** sum_c weight(c) · A_c: a map [h, w] of activations [channels, h, w]. */
export function weightedSum(activations: Tensor, weights: ArrayLike<number>): Tensor {
  const [channels, height, width] = activations.shape;
  const area = height * width;
  const sum = new Float64Array(area);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < area; i++) sum[i] += weights[c] * activations.data[c * area + i];
  return tensor([height, width], Float32Array.from(sum));
}

/** One number a channel: sum over its cells of f(activation, gradient). */
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

/** sum_c f(A_c, G_c), cell by cell. */
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
export const positive = (x: Tensor): Tensor =>
  tensor(
    x.shape,
    x.data.map((value) => Math.max(0, value)),
  );

/**
 * The attribution of the maps of one or several layers: clipped if asked for, upsampled with
 * half-pixel centres. Several layers differ in scale: each is divided by its largest magnitude,
 * then the mean is taken.
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
  return { map, layers, extras: { layers: shapes, ...extras } };
}

/**
 * A class activation map: one forward and one backward pass a class, then `weigh` on each layer.
 */
export async function explainCam(
  { model, input, targets, options, batchSize, progress }: MethodContext<CamOptions>,
  weigh: Weigh,
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
    const layers = names.map((layer, l) => {
      const [a, g] = [values[l], gradients[l]].map((x) => channelsFirst(x, t, layouts[l]));
      return { layer, map: weigh(a, g) };
    });
    return fromLayers(layers, options.relu, height, width);
  });
}
