import { FoveaError } from '../../errors.ts';
import type { Attributes, Emitter } from './emitter.ts';

/**
 * Emits a node with `axes`. From opset `inputFrom` on the axes are an input, before it they are an
 * attribute.
 */
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
 * @throws FoveaError `unsupported` if the size is not known.
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
