import { type Tensor, tensor } from '../../tensor/tensor.ts';

/** The product of two arrays of one length, element by element. */
export const product = (a: Float32Array, b: Float32Array): Float32Array =>
  a.map((value, i) => value * b[i]);

/**
 * Reduces attributions [C, H, W] to a map [H, W]: sum_c a_c, max_c |a_c| or sqrt( sum_c a_c² ).
 * Sums use double precision.
 */
export function reduceChannels(
  values: ArrayLike<number>,
  height: number,
  width: number,
  reduce: 'sum' | 'abs-max' | 'l2',
): Tensor {
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
