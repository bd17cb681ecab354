import { intAttribute, intsAttribute, stringAttribute } from '../attributes.ts';
import type { Dim, Node } from '../graph.ts';

/** The attributes of a convolution or pooling window. Lists have one element per spatial axis. */
export interface WindowAttributes {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  readonly autoPad: string;
  readonly ceilMode: boolean;
}

/**
 * Reads the window attributes of a node with `axes` spatial axes. Missing attributes get ONNX's
 * defaults: strides and dilations of 1, and no padding.
 */
export function readWindow(node: Node, axes: number): WindowAttributes {
  const ones = new Array<number>(axes).fill(1);
  const pads = intsAttribute(node, 'pads', new Array<number>(2 * axes).fill(0));
  return {
    strides: intsAttribute(node, 'strides', ones),
    dilations: intsAttribute(node, 'dilations', ones),
    padsBegin: pads.slice(0, axes),
    padsEnd: pads.slice(axes),
    autoPad: stringAttribute(node, 'auto_pad', 'NOTSET'),
    ceilMode: intAttribute(node, 'ceil_mode', 0) === 1,
  };
}

/** The size of the output along a spatial axis. It is null if it is not known. */
export function outputDim(dim: Dim, kernel: Dim, axis: number, window: WindowAttributes): Dim {
  const stride = window.strides[axis];
  const same = window.autoPad === 'SAME_UPPER' || window.autoPad === 'SAME_LOWER';
  if (same && stride === 1) return dim;
  const dilation = window.dilations[axis];
  // In a broken node, lists may be shorter than the number of axes.
  if (typeof kernel !== 'number' || stride === undefined || dilation === undefined) return null;
  const extent = (kernel - 1) * dilation + 1;
  const padded = window.autoPad === 'NOTSET' || window.autoPad === '';
  const begin = padded ? window.padsBegin[axis] : 0;
  const end = padded ? window.padsEnd[axis] : 0;
  if (begin === undefined || end === undefined) return null;
  const pads = begin + end;
  if (typeof dim !== 'number') return stride === 1 && !same && pads === extent - 1 ? dim : null;
  if (same) return Math.ceil(dim / stride);
  const steps = (dim + pads - extent) / stride;
  if (!window.ceilMode) return Math.floor(steps) + 1;
  const size = Math.ceil(steps) + 1;
  // A window that starts after the input and the padding before it does not count.
  return (size - 1) * stride >= dim + begin ? size - 1 : size;
}
