import { FoveaError } from '../errors.ts';
import { byteSize, type DataType } from './data-types.ts';
import {
  appendBigInts,
  appendFloats,
  appendInts,
  bytesField,
  fieldsOf,
  lenientString,
  messageOfBytes,
} from './wire.ts';

/** The values of a tensor, not yet decoded. Reading a model decodes and copies no values. */
export type TensorData =
  /** Little-endian elements, as a slice of the file. */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /**
   * The typed fields (`float_data`, `int64_data`, …) of the TensorProto with their tags, as slices
   * of the file.
   */
  | { readonly kind: 'fields'; readonly fields: readonly Uint8Array[] }
  /**
   * Values in another file in the folder of the model. `attachExternalData` attaches them. A length
   * of null means: as many bytes as the type and shape need.
   */
  | {
      readonly kind: 'external';
      readonly location: string;
      readonly offset: number;
      readonly length: number | null;
    };

/** A constant tensor: a weight, or the value of a Constant node. */
export interface Initializer {
  readonly name: string;
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
  /** Fields that are not interpreted, as bytes of the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** A constant tensor that is stored as its non-zero values and their indices. */
export interface SparseInitializer {
  /** The non-zero values. Their name is the name of the tensor. */
  readonly values: Initializer;
  /** Indices and dims, as bytes of the file. */
  readonly otherFields: readonly Uint8Array[];
}

/** Decoded elements. float16 and bfloat16 are decoded as float32, bool as 0 and 1. */
export type TensorValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

/** The number of elements of a tensor. */
export function elementCount(initializer: Initializer): number {
  return initializer.dims.reduce((product, dim) => product * dim, 1);
}

/**
 * Decodes a tensor. The result may be a view of the file, so it must not be changed.
 * @throws FoveaError `model` if the tensor is broken or its external file is not attached,
 * `unsupported` if there is no JavaScript type for its elements.
 */
export function tensorValues(initializer: Initializer): TensorValues {
  const values =
    initializer.data.kind === 'raw'
      ? rawValues(initializer, initializer.data.bytes)
      : fieldValues(initializer);
  if (values.length !== elementCount(initializer)) {
    const shape = `[${initializer.dims}]`;
    throw new FoveaError(
      'model',
      `the tensor "${initializer.name}" of shape ${shape} contains ${values.length} values`,
    );
  }
  return values;
}

/**
 * Decodes a tensor into plain numbers, for shapes, axes, scales and other small constants. Integers
 * beyond 2^53 are rounded.
 * @throws FoveaError as `tensorValues` does.
 */
export function tensorNumbers(initializer: Initializer): number[] {
  const values = tensorValues(initializer);
  return Array.from(values as ArrayLike<number | bigint | string>, Number);
}

/** The constructor of a typed array, which makes arrays over a buffer or from values. */
interface NumericArrayConstructor {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
  from(values: ArrayLike<unknown>, convert: (value: unknown) => unknown): NumericArray;
}
type NumericArray = Exclude<TensorValues, readonly string[]>;

/** The typed array in which the elements of each type are stored in a file. */
const views = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as Partial<Record<DataType, NumericArrayConstructor>>;

/** Whether elements are decoded as bigints, because numbers are not exact beyond 2^53. */
const isWide = (type: DataType): boolean => type === 'int64' || type === 'uint64';

function rawValues(initializer: Initializer, bytes: Uint8Array): TensorValues {
  const { type } = initializer;
  const View = views[type];
  const size = byteSize(type);
  if (View === undefined || size === undefined) throw cannotDecode(initializer);
  if (bytes.length % size !== 0) {
    throw new FoveaError(
      'model',
      `the tensor "${initializer.name}" contains ${bytes.length} bytes, which is not a whole ` +
        `number of ${type} values`,
    );
  }
  // `slice` would not do: for a Node Buffer it returns a view of the same memory.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return widen(type, new View(aligned.buffer, aligned.byteOffset, aligned.length / size));
}

function cannotDecode({ name, type }: Initializer): FoveaError {
  return new FoveaError(
    'unsupported',
    `the tensor "${name}" has the element type ${type}, which Fovea cannot decode`,
  );
}

function widen(type: DataType, values: TensorValues): TensorValues {
  if (type === 'float16') return Float32Array.from(values as Uint16Array, float16ToNumber);
  if (type === 'bfloat16')
    return new Float32Array(Uint32Array.from(values as Uint16Array, (bits) => bits << 16).buffer);
  return values;
}

/** The number that 16 bits of IEEE binary16 encode. */
export function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Values in typed fields. Their numbers are: float_data 4, int32_data 5, string_data 6, int64_data
 * 7, double_data 10, uint64_data 11.
 */
function fieldValues(initializer: Initializer): TensorValues {
  const { name, type, data } = initializer;
  if (data.kind === 'external') {
    throw new FoveaError(
      'model',
      `the tensor "${name}" is in the file ${data.location}, which is not attached`,
    );
  }
  const numbers: number[] = [];
  const bigints: bigint[] = [];
  const strings: string[] = [];
  for (const bytes of data.kind === 'fields' ? data.fields : []) {
    for (const field of fieldsOf(messageOfBytes(bytes, `tensor "${name}"`))) {
      if (field.number === 4) appendFloats(field, 4, numbers);
      else if (field.number === 10) appendFloats(field, 8, numbers);
      else if (field.number === 6) strings.push(lenientString(bytesField(field)));
      else if (isWide(type)) appendBigInts(field, bigints);
      else appendInts(field, numbers);
    }
  }
  if (type === 'string') return strings;
  const View = views[type];
  if (View === undefined) throw cannotDecode(initializer);
  const values: readonly unknown[] = isWide(type) ? bigints : numbers;
  return widen(
    type,
    View.from(values, (value) => value),
  );
}

/** The values that `initializerOf` accepts. */
export type TensorInput =
  | number
  | bigint
  | boolean
  | ArrayLike<number>
  | ArrayLike<bigint>
  | ArrayLike<boolean>;

/**
 * An initializer with `values` as elements of `type`. Numbers are converted to this type.
 * @throws FoveaError `internal` if the number of values does not match `dims` or the type is
 * unsupported.
 */
export function initializerOf(
  name: string,
  type: DataType,
  dims: readonly number[],
  values: TensorInput,
): Initializer {
  const bytes = encodeValues(name, type, values);
  const expected = dims.reduce((product, dim) => product * dim, byteSize(type) ?? 1);
  if (bytes.length !== expected) {
    const got = bytes.length / (byteSize(type) ?? 1);
    throw new FoveaError('internal', `the constant "${name}" of shape [${dims}] got ${got} values`);
  }
  return { name, type, dims: [...dims], data: { kind: 'raw', bytes }, otherFields: [] };
}

/** Fills a list of 64-bit integers. `from` with a function would take four times as long. */
function fillBigInts(list: BigInt64Array, values: ArrayLike<number | bigint>): BigInt64Array {
  for (let i = 0; i < list.length; i++) list[i] = BigInt(values[i] ?? 0);
  return list;
}

/** How values are converted before writing, for element types that no typed array converts. */
const encoders: Partial<Record<DataType, (value: unknown) => number>> = {
  float16: (value) => numberToFloat16(Number(value)),
  bfloat16: (value) => numberToBfloat16(Number(value)),
  bool: (value) => (value ? 1 : 0),
};

function encodeValues(name: string, type: DataType, values: TensorInput): Uint8Array {
  const list = typeof values === 'object' ? values : [values];
  const View = views[type];
  if (View === undefined)
    throw new FoveaError('internal', `the constant "${name}" cannot be of type ${type}`);
  const encoder = encoders[type];
  // A typed array of this type is copied as a whole: one call per element takes seconds for a large
  // table.
  if (list instanceof View && !encoder) {
    const copy = list.slice();
    return new Uint8Array(copy.buffer, copy.byteOffset, copy.byteLength);
  }
  const encoded = isWide(type)
    ? fillBigInts(new BigInt64Array(list.length), list as ArrayLike<number | bigint>)
    : View.from(list as ArrayLike<unknown>, encoder ?? Number);
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}

/**
 * The 16 bits of the bfloat16 nearest to a number, ties to even. A bfloat16 is the upper half of a
 * float32.
 */
function numberToBfloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  const bits = new DataView(Float32Array.of(value).buffer).getUint32(0, true);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The 16 bits of IEEE binary16 nearest to a number, ties to even. */
export function numberToFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  // The mantissa in units of the last place. A carry into the exponent yields the correct bits.
  const units = roundHalfEven(magnitude * 2 ** (10 - exponent));
  return sign | (exponent === -14 ? units : units + ((exponent + 14) << 10));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
