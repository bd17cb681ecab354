import { intAttribute, type Shape } from '../../onnx/index.ts';
import { largestConstant } from '../guard.ts';
import type { RuleContext } from '../rule.ts';

/** The attribute `axis` of a node, counted from the front. Default: `otherwise`. */
export function axisOf(at: RuleContext, otherwise: number): number {
  const axis = intAttribute(at.node, 'axis', otherwise);
  return axis < 0 ? axis + at.shape(0).length : axis;
}

/**
 * The size of axis `axis` of input `index`.
 * @throws FoveaError `unsupported` if it is not known.
 */
export function sizeAt(at: RuleContext, index: number, axis: number): number {
  const dim = at.shape(index)[axis];
  if (typeof dim !== 'number')
    at.refuse(`the size of axis ${axis} of "${at.node.inputs[index]}" to be known`);
  return dim as number;
}

/**
 * The spatial sizes of a shape [N, C, …]. `which` names the tensor in the message.
 * @throws FoveaError `unsupported` if they are not known.
 */
export function spatial(at: RuleContext, shape: Shape, which: string): readonly number[] {
  const sizes = shape.slice(2);
  if (!sizes.every((size) => typeof size === 'number'))
    at.refuse(`the height and width of its ${which}: fix the shape of the model's input`);
  return sizes as readonly number[];
}

/**
 * The size of each of `parts` equal parts.
 * @throws FoveaError `unsupported` if `size` is not divisible by `parts`.
 */
export function partOf(at: RuleContext, size: number, parts: number): number {
  if (size % parts !== 0) at.refuse(`a size that is divisible by ${parts}, not ${size}`);
  return size / parts;
}

/**
 * Refuses a constant with too many elements. It would take seconds to compute, and could need more
 * memory than the network.
 */
export function checkConstant(at: RuleContext, elements: number): void {
  if (!(elements <= largestConstant))
    at.refuse(`constants of at most ${largestConstant} elements, here ${elements}`);
}
