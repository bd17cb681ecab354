import { at } from '../../tensor/at.ts';
import { intAttribute } from '../attributes.ts';
import { type DataType, dataTypeName, isFloat } from '../data-types.ts';
import { type Dim, isStatic } from '../graph.ts';
import { each } from '../operators.ts';
import { addDims, broadcastShapes, divideDims, multiplyDims } from './dim.ts';
import {
  hasInput,
  inputAt,
  largestValue,
  type RuleContext,
  type RuleTable,
  type ShapeRule,
  sameAsInput,
  sizeOf,
  type TensorInfo,
  tensorInfo,
} from './rule.ts';

type DimFunction = (...dims: Dim[]) => Dim;

/** A function of numbers on dimensions. It returns null if an argument is not a number. */
function ofNumbers(f: (...numbers: number[]) => number): DimFunction {
  return (...dims) =>
    dims.every((dim) => typeof dim === 'number') ? f(...(dims as number[])) : null;
}

/**
 * Applies `f` to the elements of broadcast inputs. Returns null if a value is unknown or the result
 * is too large.
 */
function mapValues(
  inputs: readonly TensorInfo[],
  shape: readonly number[],
  f: DimFunction,
): Dim[] | null {
  const count = sizeOf(shape);
  if (count > largestValue || inputs.some((input) => input.value === null)) return null;
  if (inputs.length < f.length) return null;
  const readers = inputs.map((input) => broadcastReader(input, shape));
  return Array.from({ length: count }, (_, i) => f(...readers.map((read) => read(i))));
}

/**
 * Returns a function that reads the element of a value for a flat index of the broadcast shape
 * `to`.
 */
export function broadcastReader(
  { shape, value }: TensorInfo,
  to: readonly number[],
): (index: number) => Dim {
  const from = (shape ?? []) as readonly number[];
  return (index) => {
    let rest = index;
    let offset = 0;
    let stride = 1;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const size = at(to, axis);
      const position = rest % size;
      rest = Math.floor(rest / size);
      const own = axis - to.length + from.length;
      if (own < 0) continue;
      const ownSize = at(from, own);
      if (ownSize !== 1) offset += position * stride;
      stride *= ownSize;
    }
    return value?.[offset] ?? null;
  };
}

function broadcast(
  inputs: readonly TensorInfo[],
  type: DataType | null,
  f?: DimFunction,
): readonly TensorInfo[] {
  const shape = broadcastShapes(inputs.map((input) => input.shape));
  return [tensorInfo(type, shape, f && isStatic(shape) ? mapValues(inputs, shape, f) : null)];
}

/** The rule of an operator whose inputs all have the type of the output. */
function arithmetic(f?: DimFunction): ShapeRule {
  return ({ inputs }) =>
    broadcast(inputs, inputs.find((input) => input.type !== null)?.type ?? null, f);
}

function comparison(f?: DimFunction): ShapeRule {
  return ({ inputs }) => broadcast(inputs, 'bool', f);
}

/** Division. Integer division rounds toward zero. */
const divide: ShapeRule = ({ inputs }) => {
  const type = inputs[0]?.type ?? inputs[1]?.type ?? null;
  const f: DimFunction = (a, b) => {
    if (typeof a === 'number' && typeof b === 'number')
      return isFloat(type) ? a / b : b === 0 ? null : Math.trunc(a / b);
    return divideDims(a, b);
  };
  return broadcast(inputs, type, f);
};

/** A symbolic size is never negative, and two sizes of the same name are equal. */
const equal: DimFunction = (a, b) => {
  if (a === null || b === null) return null;
  if (a === b) return 1;
  if (typeof a === 'number' && typeof b === 'number') return 0;
  return isNegative(a) || isNegative(b) ? 0 : null;
};

function isNegative(dim: Dim): boolean {
  return typeof dim === 'number' && dim < 0;
}

/** Exporters write this or a larger number for "to the end". Every symbolic size is smaller. */
const endless = 2 ** 31 - 1;

const minimum: DimFunction = (...dims) =>
  dims.reduce((a, b) => {
    if (a === b) return a;
    if (typeof a === 'number' && typeof b === 'number') return Math.min(a, b);
    if (typeof a === 'number' && a >= endless) return b;
    return typeof b === 'number' && b >= endless ? a : null;
  });

const maximum: DimFunction = (...dims) =>
  dims.reduce((a, b) => {
    if (a === b) return a;
    if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b);
    if (typeof a === 'number' && a <= 0) return b;
    return typeof b === 'number' && b <= 0 ? a : null;
  });

const logicalAnd: DimFunction = (a, b) => (a === 0 || b === 0 ? 0 : a === 1 && b === 1 ? 1 : null);
const logicalOr: DimFunction = (a, b) => (a === 1 || b === 1 ? 1 : a === 0 && b === 0 ? 0 : null);

/**
 * condition ? x : y. If the condition is unknown, the element is known only if x and y are equal.
 */
const where: ShapeRule = ({ inputs }) => {
  const type = inputs[1]?.type ?? inputs[2]?.type ?? null;
  return broadcast(inputs, type, (condition, x, y) =>
    condition === null ? (x === y ? x : null) : condition ? x : y,
  );
};

/** The rule of an operator with one input that keeps shape and type. */
function unary(f?: DimFunction): ShapeRule {
  return (at) => broadcast([inputAt(at, 0)], inputAt(at, 0).type, f);
}

const cast: ShapeRule = (at) => {
  const type = dataTypeName(intAttribute(at.node, 'to', 0));
  return broadcast([inputAt(at, 0)], type, (dim) => {
    if (typeof dim !== 'number' || isFloat(type)) return dim;
    return type === 'bool' ? Number(dim !== 0) : Math.trunc(dim);
  });
};

const castLike: ShapeRule = (at) => [tensorInfo(inputAt(at, 1).type, inputAt(at, 0).shape)];
const test: ShapeRule = (at) => [tensorInfo('bool', inputAt(at, 0).shape)];

const quantize: ShapeRule = (at) => {
  const chosen = intAttribute(at.node, 'output_dtype', 0);
  const type = hasInput(at, 2) ? inputAt(at, 2).type : chosen > 0 ? dataTypeName(chosen) : 'uint8';
  return [tensorInfo(type, inputAt(at, 0).shape)];
};

const dequantize: ShapeRule = (at) => [tensorInfo(inputAt(at, 1).type, inputAt(at, 0).shape)];

const dynamicQuantize: ShapeRule = (at) => [
  tensorInfo('uint8', inputAt(at, 0).shape),
  tensorInfo('float32', []),
  tensorInfo('uint8', []),
];

/** The inputs are two quantized tensors, each followed by its scale and zero point. */
const quantizedBinary: ShapeRule = (at: RuleContext) =>
  broadcast([inputAt(at, 0), inputAt(at, 3)], inputAt(at, 0).type);

/** Shape rules of elementwise operators. */
export const elementwise: RuleTable = {
  Add: arithmetic((a, b) => addDims(a, b)),
  Sub: arithmetic((a, b) => addDims(a, b, -1)),
  Mul: arithmetic(multiplyDims),
  Div: divide,
  Mod: arithmetic(ofNumbers((a, b) => (b === 0 ? 0 : a - b * Math.floor(a / b)))),
  Pow: ({ inputs }) =>
    broadcast(
      inputs,
      inputs[0]?.type ?? null,
      ofNumbers((a, b) => a ** b),
    ),
  Min: arithmetic(minimum),
  Max: arithmetic(maximum),
  ...each('Sum Mean BitwiseAnd BitwiseOr BitwiseXor BitShift', arithmetic()),
  Equal: comparison(equal),
  Less: comparison(ofNumbers((a, b) => Number(a < b))),
  LessOrEqual: comparison(ofNumbers((a, b) => Number(a <= b))),
  Greater: comparison(ofNumbers((a, b) => Number(a > b))),
  GreaterOrEqual: comparison(ofNumbers((a, b) => Number(a >= b))),
  And: comparison(logicalAnd),
  Or: comparison(logicalOr),
  Xor: comparison(ofNumbers((a, b) => Number(a !== b))),
  Not: unary(ofNumbers((a) => Number(a === 0))),
  ...each('IsNaN IsInf', test),
  Where: where,
  Neg: unary(ofNumbers((a) => -a)),
  Abs: unary((dim) => (typeof dim === 'number' ? Math.abs(dim) : dim)),
  Floor: unary((dim) => (typeof dim === 'number' ? Math.floor(dim) : dim)),
  Ceil: unary((dim) => (typeof dim === 'number' ? Math.ceil(dim) : dim)),
  Sqrt: unary(ofNumbers(Math.sqrt)),
  Sign: unary(ofNumbers(Math.sign)),
  ...each(
    'Exp Log Erf Round Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh ' +
      'BitwiseNot',
    sameAsInput,
  ),
  ...each('CumSum', sameAsInput),
  Cast: cast,
  CastLike: castLike,
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  'com.microsoft:QuantizeLinear': quantize,
  'com.microsoft:DequantizeLinear': dequantize,
  DynamicQuantizeLinear: dynamicQuantize,
  'com.microsoft:QLinearAdd': quantizedBinary,
  'com.microsoft:QLinearMul': quantizedBinary,
};
