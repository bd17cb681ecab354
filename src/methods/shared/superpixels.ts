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
import type { Tensor } from '../../tensor/tensor.ts';
import { inputScale, scaledArea } from './scale.ts';
import { colourPlanes, segmentMeans } from './segment-maps.ts';

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
const hiddenOption = v.picklist(['segment-mean', ...BASELINES]);

/** The description of the option `hidden`. */
const HIDDEN_IN_WORDS = 'what replaces hidden superpixels: their own mean color, or a baseline';

const segmentsOption = option(
  v.pipe(integer, v.minValue(2), v.maxValue(5000)),
  50,
  'approximate number of superpixels for slic',
);

/**
 * The options of LIME and KernelSHAP for the division of the picture. They differ only in the
 * defaults of `segmentation` and `hidden`.
 */
export const superpixelOptions = (
  segmentation: 'quickshift' | 'slic',
  hidden: v.InferOutput<typeof hiddenOption>,
) => ({
  segmentation: v.optional(segmentationOption, segmentation),
  segments: segmentsOption,
  hidden: option(hiddenOption, hidden, HIDDEN_IN_WORDS),
});

/** The option for the number of superpixels in `extras.top`, ranked by `numbers`. */
export const topOption = (numbers: 'weights' | 'values') =>
  option(
    v.pipe(integer, v.minValue(1)),
    5,
    `number of superpixels with the largest positive ${numbers} that extras.top lists and the ` +
      'picture of the top superpixels shows',
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
  const [, , height = 0, width = 0] = input.shape;
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
