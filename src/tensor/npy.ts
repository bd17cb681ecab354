import { FoveaError } from '../errors.ts';
import { sizeOf, type Tensor, tensor } from './tensor.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY

interface ElementType {
  readonly bytes: number;
  readonly read: (view: DataView, offset: number, littleEndian: boolean) => number;
}

/** The supported element types, by NumPy's type string without its byte order. */
const ELEMENT_TYPES: Record<string, ElementType> = {
  f2: { bytes: 2, read: (view, offset, little) => halfToNumber(view.getUint16(offset, little)) },
  f4: { bytes: 4, read: (view, offset, little) => view.getFloat32(offset, little) },
  f8: { bytes: 8, read: (view, offset, little) => view.getFloat64(offset, little) },
  b1: { bytes: 1, read: (view, offset) => view.getUint8(offset) },
  u1: { bytes: 1, read: (view, offset) => view.getUint8(offset) },
  i1: { bytes: 1, read: (view, offset) => view.getInt8(offset) },
  u2: { bytes: 2, read: (view, offset, little) => view.getUint16(offset, little) },
  i2: { bytes: 2, read: (view, offset, little) => view.getInt16(offset, little) },
  u4: { bytes: 4, read: (view, offset, little) => view.getUint32(offset, little) },
  i4: { bytes: 4, read: (view, offset, little) => view.getInt32(offset, little) },
  u8: { bytes: 8, read: (view, offset, little) => Number(view.getBigUint64(offset, little)) },
  i8: { bytes: 8, read: (view, offset, little) => Number(view.getBigInt64(offset, little)) },
};

interface NpyHeader {
  readonly type: string;
  readonly littleEndian: boolean;
  readonly fortranOrder: boolean;
  readonly shape: number[];
  readonly dataStart: number;
}

/**
 * The number that 16 bits of IEEE 754 half precision encode: (-1)^s · 2^(e-15) · (1 + m/1024). If e
 * = 0: (-1)^s · 2^-14 · m/1024. If e = 31: infinity or NaN.
 */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0
    ? sign * 2 ** -24 * mantissa
    : sign * 2 ** (exponent - 25) * (1024 + mantissa);
}

/** Encodes a tensor as a NumPy `.npy` file: version 1.0, little-endian float32, C order. */
export function encodeNpy(x: Tensor): Uint8Array {
  const shape = x.shape.length === 1 ? `${x.shape[0]},` : x.shape.join(', ');
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  // The data starts at a multiple of 64.
  const padded = `${header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11)}\n`;
  const bytes = new Uint8Array(10 + padded.length + x.data.length * 4);
  const view = new DataView(bytes.buffer);
  bytes.set([...MAGIC, 1, 0]);
  view.setUint16(8, padded.length, true);
  bytes.set(new TextEncoder().encode(padded), 10);
  for (let i = 0, offset = 10 + padded.length; i < x.data.length; i++, offset += 4)
    view.setFloat32(offset, x.data[i], true);
  return bytes;
}

/**
 * Decodes a NumPy `.npy` file (format versions 1 to 3, C or Fortran order) to a float32 tensor in C
 * order. It accepts floats of 2, 4 and 8 bytes, integers of 1 to 8 bytes, and booleans (as 0 and
 * 1). Values that float32 cannot represent are rounded. `name` is the name of the file in error
 * messages.
 * @throws FoveaError `usage` if the bytes are not such a file, are incomplete or contain another
 * element type.
 */
export function decodeNpy(bytes: Uint8Array, name = 'the .npy data'): Tensor {
  const header = readHeader(bytes, name);
  const element = ELEMENT_TYPES[header.type];
  const count = sizeOf(header.shape);
  const available = bytes.length - header.dataStart;
  if (available !== count * element.bytes) {
    const wanted =
      `an array of shape (${header.shape}) and type ${header.type} needs ` +
      `${count * element.bytes} bytes of data`;
    throw new FoveaError(
      'usage',
      `${name} is ${available < count * element.bytes ? 'incomplete' : 'damaged'}: ` +
        `${wanted}, but it has ${available}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + header.dataStart, available);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++)
    values[i] = element.read(view, i * element.bytes, header.littleEndian);
  return header.fortranOrder
    ? fromFortranOrder(header.shape, values)
    : tensor(header.shape, values);
}

/**
 * Reads the header: magic bytes, version, length of the header (2 bytes in version 1, 4 bytes in
 * later versions), then a Python dictionary as text.
 */
function readHeader(bytes: Uint8Array, name: string): NpyHeader {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new FoveaError(
      'usage',
      `${name} is not a NumPy .npy file: it does not start with \\x93NUMPY and a header`,
    );
  }
  const version = bytes[6];
  if (version < 1 || version > 3) {
    throw new FoveaError(
      'usage',
      `${name} is a .npy file of format version ${version}.${bytes[7]}; versions 1 to 3 can ` +
        'be read',
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const textStart = version === 1 ? 10 : 12;
  if (bytes.length < textStart)
    throw new FoveaError('usage', `${name} is incomplete: the .npy header is cut off`);
  const dataStart = textStart + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (dataStart > bytes.length)
    throw new FoveaError('usage', `${name} is incomplete: the .npy header is cut off`);
  if (dataStart - textStart > MOST_HEADER_CHARACTERS)
    throw new FoveaError(
      'usage',
      `${name} has a .npy header of ${dataStart - textStart} bytes: expected at most ` +
        `${MOST_HEADER_CHARACTERS}`,
    );
  return {
    ...parseHeader(new TextDecoder().decode(bytes.subarray(textStart, dataStart)), name),
    dataStart,
  };
}

/**
 * Largest length of a header. A header is one line about one array, so longer headers are refused.
 */
const MOST_HEADER_CHARACTERS = 65_536;
const MOST_AXES = 64;

/**
 * The text after `'key':` in the dictionary of the header, without leading spaces. It uses only
 * text search, because a regular expression that backtracks could take exponential time on bad
 * headers.
 */
function entryOf(text: string, key: string): string | undefined {
  const at = text.indexOf(`'${key}':`);
  return at < 0 ? undefined : text.slice(at + key.length + 3).trimStart();
}

/** The sizes of a Python tuple such as `(2, 3)`, `(5,)` or `()`; undefined if it is not one. */
function tupleOf(value: string | undefined): number[] | undefined {
  const end = value?.indexOf(')') ?? -1;
  if (!value?.startsWith('(') || end < 0) return undefined;
  const parts = value.slice(1, end).split(',', MOST_AXES + 2);
  const sizes = parts.map((part) => part.trim().replace(/L$/, '')); // Python 2 writes 3L
  if (sizes.at(-1) === '') sizes.pop(); // after the last comma
  if (sizes.length > MOST_AXES || !sizes.every((size) => /^\d+$/.test(size))) return undefined;
  const numbers = sizes.map(Number);
  return numbers.every(Number.isSafeInteger) ? numbers : undefined;
}

function parseHeader(text: string, name: string): Omit<NpyHeader, 'dataStart'> {
  const order = entryOf(text, 'fortran_order');
  const isFortran = order?.startsWith('True') ?? false;
  const shape = tupleOf(entryOf(text, 'shape'));
  if (!shape || (!isFortran && !order?.startsWith('False')))
    throw new FoveaError(
      'usage',
      `${name} has a .npy header that cannot be understood: ` +
        `${JSON.stringify(text.trim().slice(0, 120))}`,
    );
  const descr = entryOf(text, 'descr')?.slice(0, 60);
  const [, byteOrder, type = ''] = /^'([<>|=])([^']*)'/.exec(descr ?? '') ?? [];
  if (!Object.hasOwn(ELEMENT_TYPES, type))
    throw new FoveaError(
      'usage',
      `${name} contains elements of type ${shownType(descr)}; save it as float32 ` +
        `(array.astype('float32'))`,
    );
  return { type, littleEndian: byteOrder !== '>', fortranOrder: isFortran, shape };
}

/** The text for an unsupported element type in an error message. */
function shownType(descr: string | undefined): string {
  if (descr === undefined) return 'no type';
  const [quoted] = /^'[^']*'/.exec(descr) ?? [];
  return JSON.stringify(quoted ?? descr).slice(1, -1);
}

/**
 * Converts column-major values (the first axis varies fastest) to row-major order (the last axis
 * varies fastest).
 */
function fromFortranOrder(shape: readonly number[], values: Float32Array): Tensor {
  const result = tensor(shape);
  const position = new Array<number>(shape.length).fill(0);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  for (let i = 0, from = 0; i < values.length; i++) {
    result.data[i] = values[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++position[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      position[axis] = 0;
    }
  }
  return result;
}
