import { intAttribute, intsAttribute } from '../attributes.ts';
import type { Dim, Shape } from '../graph.ts';
import { multiplyDims } from './dim.ts';
import {
  inputAt,
  ofRank,
  type RuleContext,
  type RuleTable,
  type ShapeRule,
  tensorInfo,
} from './rule.ts';
import { outputDim, readWindow, type WindowAttributes } from './window.ts';

/** The kernel size: the attribute, or the last axes of the weights [M, C/group, k1, k2, …]. */
function kernelOf(at: RuleContext, weights: Shape | null, rank: number): Shape {
  const attribute = intsAttribute(at.node, 'kernel_shape');
  return attribute ?? weights?.slice(2) ?? ofRank(rank - 2);
}

function convolved(at: RuleContext, x: Shape | null, weights: Shape | null): Shape | null {
  const rank = x?.length ?? weights?.length;
  if (rank === undefined || rank < 3) return null;
  const kernel = kernelOf(at, weights, rank);
  const window = readWindow(at.node, rank - 2);
  const spatial = kernel.map((size, i) => outputDim(x?.[i + 2] ?? null, size, i, window));
  return [x?.[0] ?? null, weights?.[0] ?? null, ...spatial];
}

const conv: ShapeRule = (at) => {
  const [x, weights] = [inputAt(at, 0), inputAt(at, 1)];
  return [tensorInfo(x.type, convolved(at, x.shape, weights.shape))];
};

const quantizedConv: ShapeRule = (at) => {
  const shape = convolved(at, inputAt(at, 0).shape, inputAt(at, 3).shape);
  return [tensorInfo(inputAt(at, 7).type, shape)];
};

const integerConv: ShapeRule = (at) => {
  const shape = convolved(at, inputAt(at, 0).shape, inputAt(at, 1).shape);
  return [tensorInfo('int32', shape)];
};

function transposedDim(
  at: RuleContext,
  dim: Dim,
  kernel: Dim,
  axis: number,
  window: WindowAttributes,
): Dim {
  const stride = window.strides[axis] ?? null;
  if (window.autoPad === 'SAME_UPPER' || window.autoPad === 'SAME_LOWER')
    return multiplyDims(dim, stride);
  const [dilation, begin, end] = [window.dilations, window.padsBegin, window.padsEnd].map(
    (list) => list[axis],
  );
  if (typeof dim !== 'number' || typeof kernel !== 'number') return null;
  // In a broken node, lists may be shorter than the number of axes.
  if (stride === null || dilation === undefined || begin === undefined || end === undefined)
    return null;
  const overlap = (kernel - 1) * dilation + 1;
  const extra = intsAttribute(at.node, 'output_padding', [])[axis] ?? 0;
  return stride * (dim - 1) + extra + overlap - begin - end;
}

const convTranspose: ShapeRule = (at) => {
  const [x, weights] = [inputAt(at, 0), inputAt(at, 1)];
  const rank = x.shape?.length ?? weights.shape?.length;
  if (rank === undefined || rank < 3) return [tensorInfo(x.type, null)];
  const window = readWindow(at.node, rank - 2);
  const given = intsAttribute(at.node, 'output_shape');
  const kernel = kernelOf(at, weights.shape, rank);
  const spatial = given
    ? given.slice(-(rank - 2))
    : kernel.map((size, i) => transposedDim(at, x.shape?.[i + 2] ?? null, size, i, window));
  const channels = multiplyDims(weights.shape?.[1] ?? null, intAttribute(at.node, 'group', 1));
  return [tensorInfo(x.type, [x.shape?.[0] ?? null, channels, ...spatial])];
};

/** Shape rules of convolutions. */
export const convolution: RuleTable = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvInteger: integerConv,
  QLinearConv: quantizedConv,
  'com.microsoft:FusedConv': conv,
};
