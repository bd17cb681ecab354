import * as v from 'valibot';
import { FoveaError } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import { BASELINES, type BaselineName, createBaseline } from '../../model/input/baseline.ts';
import { denormalize } from '../../model/input/preprocessing.ts';
import type { Model } from '../../model/model.ts';
import { integer, option } from '../../options.ts';
import { felzenszwalb } from '../../superpixels/felzenszwalb.ts';
import { quickshift } from '../../superpixels/quickshift.ts';
import { renumber } from '../../superpixels/renumber.ts';
import { slic } from '../../superpixels/slic.ts';
import type { Segmentation } from '../../superpixels/superpixels.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import { inputScale, scaledArea } from './scale.ts';

/**
 * The option for the division of a picture: an algorithm, or the caller's labels, one row per row
 * of the model's input.
 */
export const segmentationOption = v.pipe(
  v.union([v.picklist(['quickshift', 'slic', 'felzenszwalb']), v.array(v.array(integer))]),
  v.description(
    'how the picture is divided: quickshift as in LIME, slic, felzenszwalb, or your own ' +
      'labels, [height][width] at the size of the model’s input',
  ),
);

/** The values of the option `hidden`: what replaces hidden superpixels. */
export const hiddenOption = v.picklist(['segment-mean', ...BASELINES]);

/** The description of the option `hidden`. */
export const HIDDEN_IN_WORDS =
  'what replaces hidden superpixels: their own mean color, or a baseline';

export const segmentsOption = option(
  v.pipe(integer, v.minValue(2), v.maxValue(5000)),
  50,
  'approximate number of superpixels for slic',
);

/** Felzenszwalb's parameters. They give some tens of parts in a photograph of 224 × 224 pixels. */
const FELZENSZWALB = { scale: 100, sigma: 0.8, minSize: 200 } as const;
/** Quickshift's parameters, as in LIME. */
const QUICKSHIFT = { kernelSize: 4, ratio: 0.2 } as const;

/**
 * The superpixels of a picture. Pictures under 224 pixels get about as many superpixels as large
 * ones: lengths are scaled with the shorter side, areas with its square. Quickshift adds distances
 * in position and in color, so the weight of color is scaled like a length.
 */
function divide(how: 'quickshift' | 'slic' | 'felzenszwalb', picture: Image, segments: number) {
  const { width, height } = picture;
  const scale = inputScale(height, width);
  if (how === 'slic') return slic(picture, { segments });
  if (how === 'quickshift')
    return quickshift(picture, {
      kernelSize: scale * QUICKSHIFT.kernelSize,
      ratio: scale * QUICKSHIFT.ratio,
    });
  return felzenszwalb(colourPlanes(picture), {
    scale: scale ** 2 * FELZENSZWALB.scale,
    sigma: scale * FELZENSZWALB.sigma,
    minSize: scaledArea(FELZENSZWALB.minSize, height, width),
  });
}

/** A picture as color planes [3, H, W], 0 … 1. */
function colourPlanes({ width, height, data }: Image): Tensor {
  const area = width * height;
  return tensor(
    [3, height, width],
    Float32Array.from(
      { length: 3 * area },
      (_, i) => data[3 * (i % area) + Math.floor(i / area)] / 255,
    ),
  );
}

/**
 * The superpixels of a model's input.
 * @throws FoveaError `usage` if the caller's labels do not have the size of the input.
 */
export function superpixels(
  how: v.InferOutput<typeof segmentationOption>,
  segments: number,
  model: Model,
  input: Tensor,
): Segmentation {
  const [, , height, width] = input.shape;
  if (typeof how === 'string')
    return divide(how, denormalize(input, model.preprocessing), segments);
  if (how.length !== height || how.some((row) => row.length !== width)) {
    throw new FoveaError(
      'usage',
      `segmentation: the labels are ${how.length}×${how[0]?.length ?? 0}, expected ` +
        `${height}×${width}, the size of the model's input`,
    );
  }
  return renumber(how.flat(), width, height);
}

/** The picture in which every superpixel has its mean color, [1, C, H, W]. */
function segmentMeans({ labels, count }: Segmentation, input: Tensor): Tensor {
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

/** The picture that replaces hidden superpixels, [1, C, H, W] or [1, C, 1, 1]. */
export function hiddenPicture(
  how: 'segment-mean' | BaselineName,
  segmentation: Segmentation,
  model: Model,
  input: Tensor,
): Tensor {
  return how === 'segment-mean'
    ? segmentMeans(segmentation, input)
    : createBaseline(how, model, input);
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
