import { interpolate } from '../../image/interpolate.ts';
import { type MapLayout, offsetOf } from '../../model/model.ts';
import { extent } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

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

/**
 * Maps [h, w], upsampled to [height, width] with half-pixel centers. Several maps differ in scale,
 * so each is divided by its largest magnitude, and the result is their mean.
 */
export function meanOfMaps(
  maps: readonly Tensor[],
  height: number,
  width: number,
  mode: 'bilinear' | 'bicubic',
): Tensor {
  const total = new Float64Array(height * width);
  for (const map of maps) {
    const [min, max] = extent(map.data);
    const largest = Math.max(Math.abs(min), Math.abs(max), Number.MIN_VALUE);
    const scale = maps.length === 1 ? 1 : 1 / (maps.length * largest);
    const up = interpolate(map, height, width, { mode });
    for (let i = 0; i < total.length; i++) total[i] += scale * up.data[i];
  }
  return tensor([height, width], Float32Array.from(total));
}

/** Differences up to this share of the largest gradient count as rounding. */
const ROUNDING = 1e-6;

/** Whether, in each channel, the gradients [channels, h, w] are the same in all cells. */
export function isUniform({ shape, data }: Tensor): boolean {
  const [channels = 0, height = 0, width = 0] = shape;
  const area = height * width;
  const [low, high] = extent(data);
  const most = ROUNDING * Math.max(Math.abs(low), Math.abs(high));
  return Array.from({ length: channels }, (_, c) =>
    extent(data.subarray(c * area, (c + 1) * area)),
  ).every(([min, max]) => max - min <= most);
}

/**
 * Row `index` of the values of a layer as [channels, height, width]. Tokens before the grid are
 * left out.
 */
export function channelsFirst(values: Tensor, index: number, layout: MapLayout): Tensor {
  const { channels, height, width } = layout;
  const area = height * width;
  const size = values.data.length / values.shape[0];
  const row = values.data.subarray(index * size, (index + 1) * size);
  if (layout.layout === 'channels-first') return tensor([channels, height, width], row);
  const result = new Float32Array(channels * area);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < area; i++) result[c * area + i] = row[offsetOf(layout, c, i)];
  return tensor([channels, height, width], result);
}
