import * as v from 'valibot';
import { gaussianBlur } from '../../image/blur.ts';
import { option } from '../../options.ts';
import { mean } from '../../tensor/statistics.ts';
import { type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Model } from '../model.ts';
import { channelsOf, normalizeColour } from './preprocessing.ts';

/** The names of the baselines: the values that replace hidden pixels. */
export const BASELINES = ['zero', 'black', 'grey', 'white', 'mean', 'blur'] as const;

/** The baselines in words, for the descriptions of options. */
export const BASELINES_IN_WORDS =
  'zero after preprocessing (usually the data set mean), black, mid grey, white, ' +
  'the mean colour of the picture, or the blurred picture';

/** The option of a method that hides pixels. */
export const baselineOption = option(
  v.picklist(BASELINES),
  'zero',
  `what hidden pixels become: ${BASELINES_IN_WORDS}`,
);

export type BaselineName = v.InferOutput<typeof baselineOption>;

const COLOURS = { black: [0, 0, 0], grey: [128, 128, 128], white: [255, 255, 255] } as const;

/** Mean over the pixels of each channel, [1, C, 1, 1]. */
function meanColour(input: Tensor): Tensor {
  const [, channels = 0, height = 0, width = 0] = input.shape;
  const area = height * width;
  const means = Float32Array.from({ length: channels }, (_, c) =>
    mean(input.data.subarray(c * area, (c + 1) * area)),
  );
  return tensor([1, channels, 1, 1], means);
}

/**
 * A baseline in the model's normalized units: [1, C, 1, 1] for a constant, [1, C, H, W] for `blur`
 * (Gaussian, sigma a twentieth of the shorter side, 11.2 pixels at 224, and at least one pixel).
 */
export function createBaseline(name: BaselineName, model: Model, input: Tensor): Tensor {
  const [, channels = 0, height = 0, width = 0] = input.shape;
  if (name === 'zero') return tensor([1, channelsOf(model.preprocessing), 1, 1]);
  if (name === 'mean') return meanColour(input);
  if (name === 'blur') {
    const planes = tensor([channels, height, width], input.data);
    const sigma = Math.max(1, Math.min(height, width) / 20);
    return tensor(input.shape, gaussianBlur(planes, { sigma }).data);
  }
  return normalizeColour(COLOURS[name], model.preprocessing);
}
