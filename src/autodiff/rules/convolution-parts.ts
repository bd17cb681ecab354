import type { AttributeInput } from '../../onnx/index.ts';
import type { Ops } from '../ops.ts';
import { padSpatial } from './window.ts';

/** The channels and groups of a Conv. Its weights are [outputs, inputs / group, …kernel]. */
export interface Channels {
  readonly group: number;
  /** Channels of the input. */
  readonly inputs: number;
  /** Channels of the output. */
  readonly outputs: number;
}

/** The product of sizes. */
export const product = (sizes: readonly number[]): number =>
  sizes.reduce((total, size) => total * size, 1);

/** The weights of the transposed convolution: in each group, w'[c, m, k] = w[m, c, -k]. */
export function reversedWeights(
  ops: Ops,
  w: string,
  { group, inputs, outputs }: Channels,
  kernel: readonly number[],
): string {
  const [m, c, size] = [outputs / group, inputs / group, product(kernel)];
  let turned = w;
  if (size > 1) turned = ops.flip(ops.reshape(w, [outputs, c, size]), 2);
  if (m > 1 || c > 1) {
    const split = ops.reshape(turned, [group, m, c, size]);
    turned = ops.transpose(split, [0, 2, 1, 3]);
  }
  return ops.reshape(turned, [inputs, m, ...kernel]);
}

/**
 * A 1 × 1 pooling, which computes the identity. On the CPU, ONNX Runtime keeps the result of a
 * pooling in its blocked memory layout, but not the result of a transposed convolution. With this
 * pooling, the sums and gates of the residual blocks that follow are computed in the blocked layout
 * too.
 */
export function blocked(ops: Ops, x: string): string {
  return ops.shape(x).length === 4 ? ops.op('MaxPool', [x], { kernel_shape: [1, 1] }) : x;
}

/**
 * The convolution x * w with padding before and after the spatial axes. Negative padding crops x.
 */
export function padded(
  ops: Ops,
  [x, w]: readonly [string, string],
  begin: readonly number[],
  end: readonly number[],
  attributes: Readonly<Record<string, AttributeInput>>,
): string {
  const negative = (counts: readonly number[]): number[] =>
    counts.map((count) => Math.min(0, count));
  const pads = [...begin, ...end].map((count) => Math.max(0, count));
  const cut = padSpatial(ops, x, negative(begin), negative(end));
  return ops.op('Conv', [cut, w], { ...attributes, pads });
}
