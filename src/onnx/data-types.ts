import { FoveaError } from '../errors.ts';

/**
 * The element types of ONNX tensors, by the names used in this code, with their
 * TensorProto.DataType codes.
 */
const codes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
} as const;

/** An element type that has a name in this code. */
export type NamedDataType = keyof typeof codes;

/** The element type of a tensor. An unknown type is represented by its code. */
export type DataType = NamedDataType | `type:${number}`;

const names = new Map<number, NamedDataType>(
  Object.entries(codes).map(([name, code]) => [code, name as NamedDataType]),
);

/** The name of a TensorProto.DataType code. */
export function dataTypeName(code: number): DataType {
  return names.get(code) ?? `type:${code}`;
}

/**
 * The TensorProto.DataType code of a type.
 * @throws FoveaError `internal` if there is no such type.
 */
export function dataTypeCode(type: DataType): number {
  const code =
    type in codes
      ? codes[type as NamedDataType]
      : Number(/^type:(\d+)$/.exec(type)?.[1] ?? Number.NaN);
  if (Number.isNaN(code)) throw new FoveaError('internal', `"${type}" is not an ONNX element type`);
  return code;
}

const byteSizes: Partial<Record<DataType, number>> = {
  float32: 4,
  uint8: 1,
  int8: 1,
  uint16: 2,
  int16: 2,
  int32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
  float64: 8,
  uint32: 4,
  uint64: 8,
  complex64: 8,
  complex128: 16,
  bfloat16: 2,
  float8e4m3fn: 1,
  float8e4m3fnuz: 1,
  float8e5m2: 1,
  float8e5m2fnuz: 1,
};

/** Bytes of one element, or undefined for strings, packed 4-bit types and types without a name. */
export function byteSize(type: DataType): number | undefined {
  return byteSizes[type];
}

/**
 * Whether a type is a floating-point type that gradients can have: float16, bfloat16, float32 or
 * float64.
 */
export function isFloat(type: DataType | null): boolean {
  return type === 'float32' || type === 'float16' || type === 'float64' || type === 'bfloat16';
}

/** The element type of a typed array; undefined for anything else. */
export function dataTypeOf(values: unknown): NamedDataType | undefined {
  if (values instanceof Float32Array) return 'float32';
  if (values instanceof Float64Array) return 'float64';
  if (values instanceof BigInt64Array) return 'int64';
  if (values instanceof BigUint64Array) return 'uint64';
  if (values instanceof Int32Array) return 'int32';
  if (values instanceof Uint32Array) return 'uint32';
  if (values instanceof Int16Array) return 'int16';
  if (values instanceof Uint16Array) return 'uint16';
  if (values instanceof Int8Array) return 'int8';
  if (values instanceof Uint8Array) return 'uint8';
  return undefined;
}
