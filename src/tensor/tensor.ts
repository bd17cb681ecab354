import { FoveaError } from '../errors.ts';
import { extent, sum } from './statistics.ts';

/** A dense float32 array in row-major (C) order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** The number of elements of a shape. It is 1 for the empty shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/**
 * A tensor of `shape` with `data`, which is not copied. Without `data`, all elements are 0.
 * @throws FoveaError `internal` if the length of `data` does not match the shape.
 */
export function tensor(shape: readonly number[], data?: Float32Array): Tensor {
  const values = data ?? new Float32Array(sizeOf(shape));
  if (values.length !== sizeOf(shape)) {
    throw new FoveaError(
      'internal',
      `tensor of shape [${shape}] needs ${sizeOf(shape)} values, got ${values.length}`,
    );
  }
  return { shape: [...shape], data: values };
}

/**
 * A tensor with the same values in another shape. The data is shared.
 * @throws FoveaError `internal` if the number of elements differs.
 */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  return tensor(shape, x.data);
}

/** Element `index` along the first axis, as a view without that axis. The data is shared. */
export function slab(x: Tensor, index: number): Tensor {
  const shape = x.shape.slice(1);
  const size = sizeOf(shape);
  return tensor(shape, x.data.subarray(index * size, (index + 1) * size));
}

/** The index of the largest value, or of the first one if several are equal. -1 for no values. */
export function argmax(values: ArrayLike<number>): number {
  let best = values.length > 0 ? 0 : -1;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}

/**
 * Indices of the values, sorted from the largest to the smallest value. Equal values keep their
 * order, so the result does not depend on the JavaScript engine.
 */
export function argsortDescending(values: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from({ length: values.length }, (_, i) => i);
  return order.sort((a, b) => values[b] - values[a] || a - b);
}

/** softmax(x)_i = exp(x_i - max x) / sum_j exp(x_j - max x). Values 0 … 1 with sum 1. */
export function softmax(logits: ArrayLike<number>): Float32Array {
  const [, max] = extent(logits);
  const result = Float32Array.from(logits, (x) => Math.exp(x - max));
  const total = sum(result);
  return result.map((x) => x / total);
}
