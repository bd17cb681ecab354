import * as v from 'valibot';
import type { RuleSet } from '../../autodiff/index.ts';
import type { BaselineName } from '../../model/input/baseline.ts';
import {
  type GradientRequest,
  type Gradients,
  INPUT,
  type Model,
  requireInside,
  type ScoreKind,
} from '../../model/model.ts';
import { option } from '../../options.ts';
import { at } from '../../tensor/at.ts';
import { areClose } from '../../tensor/statistics.ts';
import { sizeOf, slab, type Tensor, tensor } from '../../tensor/tensor.ts';
import type { Attribution, MethodContext } from '../method.ts';
import { product, reduceChannels } from './pixel-sums.ts';

/** The option for the score of the class that a white-box method explains. */
export const outputOption = option(
  v.picklist(['logit', 'probability']),
  'logit',
  'which score of the class is explained: the logit, or the probability, which also depends ' +
    'on the logits of all other classes',
);

/** The option for the combination of the channels of a pixel. */
export const reduceOption = option(
  v.picklist(['sum', 'abs-max', 'l2', 'none']),
  'sum',
  'how the channels of a pixel become one number: the signed sum, the largest magnitude, or ' +
    'the Euclidean norm; none: the map is the sum, and the .npy keeps the channels, C x H x W',
);

/** `sum`, `abs-max`, `l2` or `none`. */
export type Reduce = v.InferOutput<typeof reduceOption>;

/**
 * For methods whose maps sum to S(x) - S(baseline): the baseline and the score. Undefined if
 * `reduce` makes magnitudes of the channels, because such maps do not have this sum.
 */
export function sumOfDifference({
  baseline,
  output,
  reduce,
}: {
  baseline: BaselineName;
  output: ScoreKind;
  reduce: Reduce;
}) {
  return reduce === 'sum' || reduce === 'none' ? { baseline, score: output } : undefined;
}

/** The gradients of a model, for methods that declare the need `gradients`. */
export function gradientsOf(model: Model, request: GradientRequest): Promise<Gradients> {
  return requireInside(model).gradients(request);
}

/** Repeats a tensor [1, …] or […] n times: [n, …]. */
export function repeat(
  x: Tensor,
  count: number,
  shape: readonly number[] = x.shape.slice(1),
): Tensor {
  const size = sizeOf(shape);
  const data = new Float32Array(count * size);
  for (let i = 0; i < count; i++) data.set(x.data.subarray(0, size), i * size);
  return tensor([count, ...shape], data);
}

/**
 * The attribution of values [C, H, W]. With `none`, the map is the sum over the channels, and the
 * attribution also has the values themselves.
 */
export function pixelAttribution(
  values: ArrayLike<number>,
  input: Tensor,
  reduce: Reduce,
): Pick<Attribution, 'map' | 'signed' | 'channels'> {
  const [, ...shape] = input.shape;
  const [, height = 0, width = 0] = shape;
  if (reduce === 'abs-max' || reduce === 'l2')
    return { map: reduceChannels(values, height, width, reduce), signed: false };
  const map = reduceChannels(values, height, width, 'sum');
  return reduce === 'sum' ? { map } : { map, channels: tensor(shape, Float32Array.from(values)) };
}

/** Options of the methods whose map has one value per pixel and channel. */
export const pixelOptions = { output: outputOption, reduce: reduceOption };

/** The values of `pixelOptions`. */
export interface PixelOptions {
  readonly output: 'logit' | 'probability';
  readonly reduce: Reduce;
}

/** How `explainPixels` differs from a plain gradient. */
interface PixelsRequest {
  /** The rules of the backward pass; by default the rules of the gradient. */
  readonly rules?: RuleSet;
  /**
   * Whether the rules change only ReLUs, so that in a network without ReLUs the map equals the
   * gradient.
   */
  readonly needsRelu?: boolean;
  /** Whether the gradient is multiplied by the picture in the model's normalized units. */
  readonly timesInput?: boolean;
}

/**
 * Explains with one forward and one backward pass per class, and reduces the gradient to a map. If
 * the rules need ReLUs and the network has no node of type `Relu`, a second, plain pass checks
 * whether the rules changed anything. If they did not, the map has a warning.
 */
export async function explainPixels(
  { model, input, targets, options, batchSize, progress }: MethodContext<PixelOptions>,
  { rules, needsRelu = false, timesInput = false }: PixelsRequest = {},
): Promise<Attribution[]> {
  const classes = targets.map((target) => target.index);
  const batch = repeat(input, classes.length);
  const request = { batch, wrt: [INPUT], targets: classes, score: options.output, batchSize };
  const gradient = at((await gradientsOf(model, { ...request, rules })).gradients, 0);
  const isDoubtful = needsRelu && !model.inside?.operators().has('Relu');
  const [plain] = isDoubtful ? (await gradientsOf(model, request)).gradients : [];
  progress(1);
  return targets.map((_, t) => {
    const { data } = slab(gradient, t);
    const values = timesInput ? product(data, input.data) : data;
    const warnings =
      plain && areClose(data, slab(plain, t).data)
        ? [
            `this map equals the map of gradient, because ${model.name} has no ReLU that the ` +
              'method can change: use gradient, or a method that does not depend on ReLUs',
          ]
        : [];
    return { ...pixelAttribution(values, input, options.reduce), warnings };
  });
}
