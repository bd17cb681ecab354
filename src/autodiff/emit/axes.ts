import { FoveaError } from '../../errors.ts';
import type { Attributes, Emitter } from './emitter.ts';

/** A node whose `axes` are an input from the opset `inputFrom` on, and an attribute before it. */
export function withAxes(
  { opset, op, ints }: Emitter,
  opType: string,
  x: string,
  axes: readonly number[],
  inputFrom: number,
  attributes: Attributes = {},
): string {
  return opset >= inputFrom
    ? op(opType, [x, ints(axes)], attributes)
    : op(opType, [x], { axes, ...attributes });
}

/**
 * The size of a tensor along an axis.
 * @throws FoveaError `unsupported` if it is not known.
 */
export function knownSize({ shape }: Emitter, x: string, axis: number): number {
  const size = shape(x)[axis];
  if (typeof size !== 'number')
    throw new FoveaError(
      'unsupported',
      `the size of axis ${axis} of the tensor "${x}" must be known for its gradient`,
    );
  return size;
}
