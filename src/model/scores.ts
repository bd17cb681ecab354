import { FoveaError } from '../errors.ts';
import { softmax } from '../tensor/tensor.ts';
import { channelsOf, IMAGENET_PREPROCESSING, type Preprocessing } from './input/preprocessing.ts';

/** @throws FoveaError `model` if scores have NaN or infinite values. */
export function checkScores(name: string, scores: Float32Array): void {
  if (scores.every(Number.isFinite)) return;
  throw new FoveaError(
    'model',
    `${name} returned NaN or infinite scores: ` +
      'check the model and its preprocessing (mean, std, scale)',
  );
}

/**
 * Some operators have no slope everywhere, for example a square root at 0.
 * @throws FoveaError `model` if gradients have NaN or infinite values.
 */
export function checkGradients(name: string, gradients: Float32Array): void {
  if (gradients.every(Number.isFinite)) return;
  throw new FoveaError(
    'model',
    `${name} has NaN or infinite gradients for this picture, as at a square root or logarithm ` +
      `of 0: use a method that needs scores only, such as iassa, rise or occlusion`,
  );
}

/** The probability of a class that is independent of others, from its logit. */
export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/** The probability of each class: softmax, or a sigmoid if there is one logit only. */
export function toProbabilities(logits: Float32Array): Float32Array {
  return logits.length === 1 ? logits.map(sigmoid) : softmax(logits);
}

/** Whether the scores of one picture look like the output of a softmax. */
export function sumToOne(scores: Float32Array): boolean {
  const sum = scores.reduce((total, value) => total + value, 0);
  return scores.length > 1 && scores.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3;
}

/**
 * The scores of the target classes, [n · targets], from the scores of all classes, [n · classes].
 */
export function pickClasses(
  scores: Float32Array,
  classes: number,
  targets: readonly number[],
): Float32Array {
  const rows = Array.from({ length: scores.length / classes }, (_, i) =>
    scores.subarray(i * classes, (i + 1) * classes),
  );
  return Float32Array.from(
    rows.flatMap((row) => targets.map((target) => row[target] ?? Number.NaN)),
  );
}

/** Facts about a model that its graph does not contain. */
export interface ModelDescription {
  readonly name: string;
  /** One label per class. */
  readonly labels?: readonly string[];
  readonly preprocessing?: Partial<Preprocessing>;
}

/** The shape of the pictures that a model takes. */
export interface InputShape {
  /** Whether the model takes pixels of 0 to 255: as bytes, or because its graph scales them. */
  readonly takesPixels?: boolean;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** ImageNet's preprocessing for a number of channels, or none for a graph that takes pixels. */
function defaultsOf({ channels, takesPixels }: InputShape): Preprocessing {
  const grey: Partial<Preprocessing> =
    channels === 1 ? { colour: 'grey', mean: [0.5], std: [0.5] } : {};
  const defaults: Preprocessing = { ...IMAGENET_PREPROCESSING, ...grey };
  if (!takesPixels) return defaults;
  const all = (value: number) => defaults.mean.map(() => value);
  return { ...defaults, scale: '0-255', mean: all(0), std: all(1) };
}

/**
 * The preprocessing of a model: the given values, and ImageNet's for the rest, at the size that the
 * model takes. Adds a warning if neither mean nor std is given.
 * @throws FoveaError `model` if it makes another number of channels than the model takes.
 */
export function choosePreprocessing(
  description: ModelDescription,
  input: InputShape,
  warnings: string[],
): Preprocessing {
  const { name, preprocessing: given = {} } = description;
  const isSilent = given.mean === undefined && given.std === undefined;
  // A given scale, or one implied by a mean, is more reliable than a guess from the graph.
  const takesPixels = isSilent && given.scale === undefined && input.takesPixels;
  const defaults = defaultsOf({ ...input, takesPixels });
  // A given size does not imply a normalization, so the warning comes all the same.
  if (isSilent) {
    const how =
      `mean ${defaults.mean}, std ${defaults.std}, ${defaults.colour} in ${defaults.scale}, ` +
      `resized to ${input.height}×${input.width}`;
    const what = takesPixels
      ? 'pixels of 0-255 are fed as they are, because its graph scales them'
      : 'the usual preprocessing is assumed';
    warnings.push(`${name}: no mean and std are given beside the model, so ${what} (${how})`);
  }
  const chosen = fitToInput({ ...defaults, ...given }, input, description, warnings);
  if (channelsOf(chosen) !== input.channels) {
    throw new FoveaError(
      'model',
      `${name} takes ${input.channels} channels, ` +
        `its preprocessing makes ${channelsOf(chosen)} (colour ${chosen.colour})`,
    );
  }
  return chosen;
}

/**
 * The same preprocessing at the size that the model takes. If the configuration is written for
 * another size, a crop keeps the same share of the picture.
 */
function fitToInput(
  preprocessing: Preprocessing,
  { height, width }: InputShape,
  { name, preprocessing: given }: ModelDescription,
  warnings: string[],
): Preprocessing {
  const { size, shorterSide, stretchedSize } = preprocessing;
  if (given?.size && (size[0] !== height || size[1] !== width)) {
    warnings.push(
      `${name}: its preprocessing is written for ${size[0]}×${size[1]}, ` +
        `but the graph takes ${height}×${width}: pictures are prepared for the graph`,
    );
  }
  const [down, across] = given?.size ? [height / size[0], width / size[1]] : [1, 1];
  return {
    ...preprocessing,
    size: [height, width],
    ...(shorterSide !== undefined && {
      shorterSide: Math.round(shorterSide * Math.min(down, across)),
    }),
    ...(stretchedSize !== undefined && {
      stretchedSize: [
        Math.round(stretchedSize[0] * down),
        Math.round(stretchedSize[1] * across),
      ] as const,
    }),
  };
}
