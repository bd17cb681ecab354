import { intAttribute, intsAttribute, tensorAttribute } from '../attributes.ts';
import { dataTypeName } from '../data-types.ts';
import { type Attribute, type Dim, isStatic } from '../graph.ts';
import { elementCount, type Initializer, tensorNumbers } from '../initializer.ts';
import { each } from '../operators.ts';
import { productOfDims } from './dim.ts';
import {
  inputAt,
  largestValue,
  ofRankIn,
  type RuleTable,
  type ShapeRule,
  sizeOf,
  type TensorInfo,
  tensorInfo,
  unknown,
} from './rule.ts';

/**
 * Largest number of elements of a float constant whose value is kept. Floats affect shapes only as
 * the scales of a Resize or the bounds of a Range.
 */
const largestFloatValue = 16;
const integers = new Set([
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
]);

/** The type and shape of a constant tensor, and its value if it is small. */
export function initializerInfo(tensor: Initializer): TensorInfo {
  const limit = integers.has(tensor.type)
    ? largestValue
    : tensor.type === 'float32'
      ? largestFloatValue
      : 0;
  const isSmall = elementCount(tensor) <= limit && tensor.data.kind !== 'external';
  return tensorInfo(tensor.type, tensor.dims, isSmall ? tensorNumbers(tensor) : null);
}

const constant: ShapeRule = ({ node }) => {
  const tensor = tensorAttribute(node, 'value');
  if (tensor) return [initializerInfo(tensor)];
  for (const attribute of node.attributes.values()) return [attributeInfo(attribute)];
  return [unknown];
};

function attributeInfo(attribute: Attribute): TensorInfo {
  switch (attribute.type) {
    case 'int':
      return tensorInfo('int64', [], [attribute.value]);
    case 'ints':
      return tensorInfo('int64', [attribute.value.length], attribute.value);
    case 'float':
      return tensorInfo('float32', [], [attribute.value]);
    case 'floats':
      return tensorInfo('float32', [attribute.value.length], attribute.value);
    case 'string':
      return tensorInfo('string', []);
    case 'strings':
      return tensorInfo('string', [attribute.value.length]);
    default:
      return unknown;
  }
}

const constantOfShape: ShapeRule = (at) => {
  const target = inputAt(at, 0);
  const fill = tensorAttribute(at.node, 'value');
  const type = fill?.type ?? 'float32';
  if (target.value === null) return [tensorInfo(type, ofRankIn(target))];
  const element = fill ? (initializerInfo(fill).value?.[0] ?? null) : 0;
  const count = isStatic(target.value) ? sizeOf(target.value) : -1;
  const isSmall = count >= 0 && count <= largestValue;
  return [tensorInfo(type, target.value, isSmall ? new Array<Dim>(count).fill(element) : null)];
};

const range: ShapeRule = (at) => {
  const [start, limit, delta] = [0, 1, 2].map((i) => inputAt(at, i).value?.[0] ?? null);
  const type = inputAt(at, 0).type ?? inputAt(at, 1).type;
  if (
    typeof start === 'number' &&
    typeof limit === 'number' &&
    typeof delta === 'number' &&
    delta !== 0
  ) {
    const count = Math.max(0, Math.ceil((limit - start) / delta));
    const isSmall = count <= largestValue;
    return [
      tensorInfo(
        type,
        [count],
        isSmall ? Array.from({ length: count }, (_, i) => start + i * delta) : null,
      ),
    ];
  }
  return [tensorInfo(type, [start === 0 && delta === 1 ? (limit ?? null) : null])];
};

/** The shape as a tensor. The attributes `start` and `end` exist since opset 15. */
const shapeOf: ShapeRule = (at) => {
  const { shape } = inputAt(at, 0);
  if (shape === null) return [tensorInfo('int64', [null])];
  const part = shape.slice(
    intAttribute(at.node, 'start', 0),
    intAttribute(at.node, 'end', undefined),
  );
  return [tensorInfo('int64', [part.length], part)];
};

const size: ShapeRule = (at) => {
  const { shape } = inputAt(at, 0);
  return [tensorInfo('int64', [], shape && [productOfDims(shape)])];
};

const eyeLike: ShapeRule = (at) => {
  const { type, shape } = inputAt(at, 0);
  const chosen = intAttribute(at.node, 'dtype', 0);
  return [tensorInfo(chosen > 0 ? dataTypeName(chosen) : type, shape)];
};

const random: ShapeRule = (at) => {
  const type = dataTypeName(intAttribute(at.node, 'dtype', 1));
  return [tensorInfo(type, intsAttribute(at.node, 'shape', null))];
};

const bernoulli: ShapeRule = (at) => {
  const chosen = intAttribute(at.node, 'dtype', 0);
  return [
    tensorInfo(chosen > 0 ? dataTypeName(chosen) : inputAt(at, 0).type, inputAt(at, 0).shape),
  ];
};

/** Shape rules of operators whose output does not depend on the elements of their inputs. */
export const constants: RuleTable = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  Shape: shapeOf,
  Size: size,
  EyeLike: eyeLike,
  ...each('RandomNormal RandomUniform', random),
  ...each('RandomNormalLike RandomUniformLike Bernoulli', bernoulli),
};
