import type { Image } from '../../image/image.ts';
import type { Segmentation } from '../../superpixels/superpixels.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';

/** A picture as color planes [3, H, W], 0 … 1. */
export function colourPlanes({ width, height, data }: Image): Tensor {
  const area = width * height;
  return tensor(
    [3, height, width],
    Float32Array.from(
      { length: 3 * area },
      (_, i) => data[3 * (i % area) + Math.floor(i / area)] / 255,
    ),
  );
}

/** The picture in which every superpixel has its mean color, [1, C, H, W]. */
export function segmentMeans({ labels, count }: Segmentation, input: Tensor): Tensor {
  const [, channels, height, width] = input.shape;
  const area = height * width;
  const sizes = new Float64Array(count);
  for (const label of labels) sizes[label]++;
  const result = tensor(input.shape);
  for (let c = 0; c < channels; c++) {
    const sums = new Float64Array(count);
    labels.forEach((label, i) => (sums[label] += input.data[c * area + i]));
    labels.forEach((label, i) => (result.data[c * area + i] = sums[label] / sizes[label]));
  }
  return result;
}

/** A map [H, W] in which each pixel has the value of its superpixel. */
export function paintSegments(
  { labels, width, height }: Segmentation,
  values: ArrayLike<number>,
): Tensor {
  return tensor(
    [height, width],
    Float32Array.from(labels, (label) => values[label]),
  );
}

/** At most `count` superpixels with a value above 0, by falling value. */
export function topSegments(values: ArrayLike<number>, count: number): number[] {
  return Array.from({ length: values.length }, (_, i) => i)
    .filter((i) => values[i] > 0)
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, count);
}

/** The pixels of the given superpixels, [H, W]: 1 inside, 0 outside. */
export function regionOf(segmentation: Segmentation, ids: readonly number[]): Tensor {
  const inside = new Float32Array(segmentation.count);
  for (const id of ids) inside[id] = 1;
  return paintSegments(segmentation, inside);
}
