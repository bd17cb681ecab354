import { z } from 'zod';
import { FoveaError } from '../../errors.ts';
import type { GradientRequest, Gradients, Model } from '../../model/model.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';

/** Which score of the class a white-box method explains. */
export const outputOption = z
  .enum(['logit', 'probability'])
  .default('logit')
  .describe('which score of the class is explained: the logit, or the probability, which the other classes lower');

/** How the channels of a pixel become one number. */
export const reduceOption = z
  .enum(['sum', 'abs-max', 'l2'])
  .default('sum')
  .describe('how the channels of a pixel become one number: the signed sum, the largest magnitude, or the Euclidean norm');

/** `sum`, `abs-max` or `l2`. */
export type Reduce = z.output<typeof reduceOption>;

/** The gradients of a model whose method has stated that it needs them. */
export function gradientsOf(model: Model, request: GradientRequest): Promise<Gradients> {
  if (!model.gradients) throw new FoveaError('unsupported', `${model.name} gives no gradients`);
  return model.gradients(request);
}

/** A tensor [1, …] or […] n times over: [n, …]. */
export function repeat(x: Tensor, count: number, shape: readonly number[] = x.shape.slice(1)): Tensor {
  const size = sizeOf(shape);
  const data = new Float32Array(count * size);
  for (let i = 0; i < count; i++) data.set(x.data.subarray(0, size), i * size);
  return tensor([count, ...shape], data);
}

/**
 * A map [H, W] of attributions [C, H, W]: sum_c a_c, max_c |a_c| or sqrt( sum_c a_c² ). Sums are taken in double
 * precision.
 */
export function reduceChannels(values: ArrayLike<number>, height: number, width: number, reduce: Reduce): Tensor {
  const area = height * width;
  const map = new Float32Array(area);
  for (let i = 0; i < area; i++) {
    let result = 0;
    for (let at = i; at < values.length; at += area) {
      if (reduce === 'sum') result += values[at];
      else if (reduce === 'abs-max') result = Math.max(result, Math.abs(values[at]));
      else result += values[at] ** 2;
    }
    map[i] = reduce === 'l2' ? Math.sqrt(result) : result;
  }
  return tensor([height, width], map);
}
