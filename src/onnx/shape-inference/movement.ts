import { at as elementAt } from '../../tensor/at.ts';
import { floatsAttribute, intAttribute, intsAttribute, stringAttribute } from '../attributes.ts';
import { type Dim, isStatic, type Shape } from '../graph.ts';
import { each } from '../operators.ts';
import { addDims, broadcastShapes, divideDims, multiplyDims, productOfDims } from './dim.ts';
import { broadcastReader } from './elementwise.ts';
import {
  hasInput,
  inputAt,
  largestValue,
  listAt,
  normalizeAxis,
  numbersAt,
  ofRank,
  ofRankIn,
  type RuleContext,
  type RuleTable,
  type ShapeRule,
  sameAsInput,
  sizeOf,
  type TensorInfo,
  tensorInfo,
  unknown,
  withDim,
} from './rule.ts';

const identity: ShapeRule = (at) => [inputAt(at, 0)];

/** y and the mask. Before opset 10 the mask has the type of the input. */
const dropout: ShapeRule = (at) => {
  const x = inputAt(at, 0);
  return [x, tensorInfo(at.opset < 10 ? x.type : 'bool', x.shape)];
};

const transpose: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  if (shape === null) return [tensorInfo(type, null)];
  const perm = intsAttribute(
    at.node,
    'perm',
    shape.map((_, axis) => shape.length - 1 - axis),
  );
  const result = perm.map((axis) => shape[axis] ?? null);
  return [
    tensorInfo(type, result, value && isStatic(shape) ? transposedValue(value, shape, perm) : null),
  ];
};

function transposedValue(
  value: readonly Dim[],
  shape: readonly number[],
  perm: readonly number[],
): Dim[] {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const result = perm.map((axis) => elementAt(shape, axis));
  return value.map((_, index) => {
    let rest = index;
    let offset = 0;
    for (let axis = result.length - 1; axis >= 0; axis--) {
      const size = elementAt(result, axis);
      offset += (rest % size) * elementAt(strides, elementAt(perm, axis));
      rest = Math.floor(rest / size);
    }
    return value[offset] ?? null;
  });
}

/**
 * Resolves 0 (copied from the input) and -1 (computed from the number of elements) in the target of
 * a Reshape.
 */
function reshapedShape(input: Shape | null, target: readonly Dim[], allowZero: boolean): Shape {
  const isCopied = (dim: Dim | undefined): boolean => dim === 0 && !allowZero;
  const shape = target.map((dim, axis) =>
    isCopied(dim) ? (input?.[axis] ?? null) : dim === -1 ? null : dim,
  );
  const open = shape.flatMap((dim, axis) =>
    dim === null && !isCopied(target[axis]) ? [axis] : [],
  );
  const [axis] = open;
  if (input === null || axis === undefined || open.length > 1) return shape;
  // Copied dimensions are in both shapes and cancel, so they may be unknown.
  const own = productOfDims(input.filter((_, axis) => !isCopied(target[axis])));
  const rest = productOfDims(
    shape.filter((_, other) => other !== axis && !isCopied(target[other])),
  );
  return withDim(shape, axis, divideDims(own, rest));
}

const reshape: ShapeRule = (at) => {
  const x = inputAt(at, 0);
  const target = hasInput(at, 1) ? inputAt(at, 1) : null;
  const list = target ? target.value : intsAttribute(at.node, 'shape', null);
  if (list === null) {
    return [tensorInfo(x.type, target && ofRankIn(target))];
  }
  return [
    tensorInfo(
      x.type,
      reshapedShape(x.shape, list, intAttribute(at.node, 'allowzero', 0) === 1),
      x.value,
    ),
  ];
};

const flatten: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  if (shape === null) return [tensorInfo(type, ofRank(2))];
  const axis = normalizeAxis(intAttribute(at.node, 'axis', 1), shape.length);
  return [
    tensorInfo(
      type,
      [productOfDims(shape.slice(0, axis)), productOfDims(shape.slice(axis))],
      value,
    ),
  ];
};

const squeeze: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  const axes = listAt(at, 'axes', 1);
  if (shape === null || axes === null) return [tensorInfo(type, null)];
  if (axes === undefined && shape.some((dim) => typeof dim !== 'number'))
    return [tensorInfo(type, null)];
  const removed = new Set(axes?.map((axis) => normalizeAxis(axis, shape.length)));
  const result = shape.filter((dim, axis) => (axes === undefined ? dim !== 1 : !removed.has(axis)));
  return [tensorInfo(type, result, value)];
};

const unsqueeze: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  const axes = listAt(at, 'axes', 1);
  if (shape === null || !axes) return [tensorInfo(type, null)];
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => normalizeAxis(axis, rank)));
  const old = shape.values();
  const result = Array.from(
    { length: rank },
    (_, axis): Dim => (added.has(axis) ? 1 : (old.next().value ?? null)),
  );
  return [tensorInfo(type, result, value)];
};

const expand: ShapeRule = (at) => {
  const x = inputAt(at, 0);
  const target = inputAt(at, 1);
  if (target.value === null) return [tensorInfo(x.type, null)];
  const shape = broadcastShapes([x.shape, target.value]);
  if (!isStatic(shape) || x.value === null || sizeOf(shape) > largestValue)
    return [tensorInfo(x.type, shape)];
  const read = broadcastReader(x, shape);
  return [
    tensorInfo(
      x.type,
      shape,
      Array.from({ length: sizeOf(shape) }, (_, i) => read(i)),
    ),
  ];
};

const tile: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  const repeats = inputAt(at, 1).value;
  if (shape === null) return [tensorInfo(type, null)];
  if (repeats === null) return [tensorInfo(type, ofRank(shape.length))];
  const result = shape.map((dim, axis) => multiplyDims(dim, repeats[axis] ?? null));
  const count = shape.length === 1 ? repeats[0] : null;
  const tiled =
    value && typeof count === 'number' && count * Math.max(1, value.length) <= largestValue;
  return [
    tensorInfo(type, result, tiled ? Array.from({ length: count }, () => value).flat() : null),
  ];
};

/** The shape of the concatenation of tensors along `axis`. */
function concatenated(inputs: readonly TensorInfo[], axis: number): TensorInfo {
  const type = inputs.find((input) => input.type !== null)?.type ?? null;
  const rank = inputs.find((input) => input.shape !== null)?.shape?.length;
  if (rank === undefined) return tensorInfo(type, null);
  const along = normalizeAxis(axis, rank);
  const shapes = inputs.map((input) => input.shape ?? ofRank(rank));
  const result = Array.from({ length: rank }, (_, i) => {
    const dims = shapes.map((shape) => shape[i] ?? null);
    if (i === along) return dims.reduce((a, b) => addDims(a, b));
    return dims.find((dim) => typeof dim === 'number') ?? dims.find((dim) => dim !== null) ?? null;
  });
  return tensorInfo(type, result, rank === 1 ? concatenatedValue(inputs) : null);
}

function concatenatedValue(inputs: readonly TensorInfo[]): Dim[] | null {
  const elements: Dim[] = [];
  for (const { shape, value } of inputs) {
    const count = shape?.[0];
    if (typeof count !== 'number' || count > largestValue) return null;
    for (const element of value ?? ofRank(count)) elements.push(element);
  }
  return elements;
}

const concat: ShapeRule = ({ node, inputs }) => [
  concatenated(inputs, intAttribute(node, 'axis', 1)),
];

/**
 * The inputs are the scale and zero point of the result, then each tensor with its scale and zero
 * point.
 */
const quantizedConcat: ShapeRule = ({ node, inputs }) => {
  const tensors = inputs.filter((_, i) => i >= 2 && (i - 2) % 3 === 0);
  return [concatenated(tensors, intAttribute(node, 'axis', 1))];
};

const split: ShapeRule = (at) => {
  const { type, shape, value } = inputAt(at, 0);
  const count = at.node.outputs.length;
  if (shape === null) return at.node.outputs.map(() => tensorInfo(type, null));
  const axis = normalizeAxis(intAttribute(at.node, 'axis', 0), shape.length);
  const sizes =
    listAt(at, 'split', 1) ??
    (hasInput(at, 1) ? ofRank(count) : evenSplit(shape[axis] ?? null, count));
  let start = 0;
  return sizes.map((size) => {
    const from = start;
    start += typeof size === 'number' ? size : Number.NaN;
    const isKnown = value !== null && shape.length === 1 && !Number.isNaN(start);
    return tensorInfo(type, withDim(shape, axis, size), isKnown ? value.slice(from, start) : null);
  });
};

/** Sizes of equal parts. If the size is not divisible, the last part is smaller. */
function evenSplit(dim: Dim, count: number): readonly Dim[] {
  if (typeof dim !== 'number') return new Array<Dim>(count).fill(divideDims(dim, count));
  const part = Math.ceil(dim / count);
  return Array.from({ length: count }, (_, i) => Math.min(part, dim - i * part));
}

const pad: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const pads = listAt(at, 'pads', 1);
  if (shape === null) return [tensorInfo(type, null)];
  const axes = hasInput(at, 3) ? numbersAt(at, 3) : shape.map((_, axis) => axis);
  if (!pads || axes === null) return [tensorInfo(type, ofRank(shape.length))];
  const result = [...shape];
  for (const [i, axis] of axes.entries()) {
    const at = normalizeAxis(axis, shape.length);
    const [before, after] = [pads[i], pads[i + axes.length]];
    const isGiven = before !== undefined && after !== undefined;
    result[at] = isGiven ? addDims(shape[at] ?? null, before + after) : null;
  }
  return [tensorInfo(type, result)];
};

/**
 * floor(size * scale), where the product is rounded to float32 as in the runtime: 150 * 0.44 is 66
 * in float32 and 65.99… in float64. With a whole number as scale, a symbolic size stays symbolic.
 */
function scaled(dim: Dim, scale: Dim): Dim {
  if (typeof dim === 'number' && typeof scale === 'number')
    return Math.floor(Math.fround(Math.fround(dim) * Math.fround(scale)));
  return multiplyDims(dim, scale);
}

const resize: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  if (shape === null) return [tensorInfo(type, null)];
  const axes = intsAttribute(
    at.node,
    'axes',
    shape.map((_, axis) => axis),
  ).map((axis) => normalizeAxis(axis, shape.length));
  const scales = at.opset < 11 ? inputAt(at, 1) : inputAt(at, 2);
  const sizes = at.opset < 11 ? unknown : inputAt(at, 3);
  const policy = stringAttribute(at.node, 'keep_aspect_ratio_policy', 'stretch');
  const result: Dim[] = [...shape];
  const ratio =
    sizes.value && policy !== 'stretch' ? aspectRatio(shape, axes, sizes.value, policy) : undefined;
  for (const [i, axis] of axes.entries()) {
    if (ratio !== undefined)
      result[axis] =
        ratio === null || typeof shape[axis] !== 'number'
          ? null
          : Math.round(Math.fround(shape[axis] * ratio));
    else if (sizes.value) result[axis] = sizes.value[i] ?? null;
    else result[axis] = scaled(shape[axis] ?? null, scales.value?.[i] ?? null);
  }
  return [tensorInfo(type, result)];
};

function aspectRatio(
  shape: Shape,
  axes: readonly number[],
  sizes: readonly Dim[],
  policy: string,
): number | null {
  const ratios = axes.map((axis, i) =>
    Math.fround(Number(sizes[i] ?? Number.NaN) / Number(shape[axis] ?? Number.NaN)),
  );
  const ratio = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  return Number.isNaN(ratio) ? null : ratio;
}

/** The scales are an attribute in opset 7 and an input from opset 9 on. */
const upsample: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const scales = hasInput(at, 1) ? inputAt(at, 1).value : floatsAttribute(at.node, 'scales', null);
  return [tensorInfo(type, shape?.map((dim, axis) => scaled(dim, scales?.[axis] ?? null)) ?? null)];
};

/** The rule of an operator that moves blocks between the channels and the two spatial axes. */
function blocks(
  channels: (dim: Dim, block: number) => Dim,
  spatial: (dim: Dim, block: number) => Dim,
): ShapeRule {
  return (at: RuleContext) => {
    const { type, shape } = inputAt(at, 0);
    const block = intAttribute(at.node, 'blocksize', 1);
    if (shape?.length !== 4) return [tensorInfo(type, null)];
    const [n = null, c = null, h = null, w = null] = shape;
    return [
      tensorInfo(type, [n, channels(c, block * block), spatial(h, block), spatial(w, block)]),
    ];
  };
}

/** Shape rules of operators that move elements without changing them. */
export const movement: RuleTable = {
  Identity: identity,
  Dropout: dropout,
  Transpose: transpose,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Expand: expand,
  Tile: tile,
  Concat: concat,
  'com.microsoft:QLinearConcat': quantizedConcat,
  Split: split,
  Pad: pad,
  Resize: resize,
  Upsample: upsample,
  DepthToSpace: blocks(divideDims, multiplyDims),
  SpaceToDepth: blocks(multiplyDims, divideDims),
  ...each('Trilu ReverseSequence', sameAsInput),
};
