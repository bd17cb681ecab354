import { FoveaError } from '../errors.ts';

/** The encoding of a field's value: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
type WireType = 0 | 1 | 2 | 5;

/** The range of a file that contains one protobuf message. */
export interface Message {
  /** The whole file. Error messages contain positions in it. */
  readonly file: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** The type of the message, for error messages, for example `NodeProto`. */
  readonly what: string;
  /** Number of messages that contain this one. */
  readonly depth: number;
}

/** One field of a message, not decoded yet. */
export interface Field {
  readonly message: Message;
  readonly number: number;
  readonly wireType: WireType;
  /** Start of the tag. */
  readonly start: number;
  /** Start of the value (after the length of a length-delimited field). */
  readonly valueStart: number;
  readonly end: number;
}

const maximumDepth = 64;
const utf8 = new TextDecoder('utf-8', { fatal: true });
const utf8Lenient = new TextDecoder('utf-8');
const utf8Encoder = new TextEncoder();

/** Creates the error for a file that is not an intact protobuf message. */
export function damaged(message: Message, position: number, problem: string): FoveaError {
  const where = `${message.what}, byte ${position} of ${message.file.length}`;
  return new FoveaError(
    'model',
    `not an intact ONNX model: ${problem} (${where}); is the file complete?`,
  );
}

/** Describes a whole buffer as one message. */
export function messageOfBytes(file: Uint8Array, what: string): Message {
  return { file, start: 0, end: file.length, what, depth: 0 };
}

/**
 * The fields of a message in the order of the file.
 * @throws FoveaError `model` if the message is incomplete or not protobuf.
 */
export function* fieldsOf(message: Message): Generator<Field, void, undefined> {
  let position = message.start;
  while (position < message.end) {
    const start = position;
    const tagEnd = skipVarint(message, start);
    const tag = unsigned(message, start, tagEnd);
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (number === 0 || number > 0x1fffffff)
      throw damaged(message, start, `${number} is not a field number`);
    if (wireType !== 0 && wireType !== 1 && wireType !== 2 && wireType !== 5) {
      throw damaged(message, start, `field ${number} has the unknown wire type ${wireType}`);
    }
    let valueStart = tagEnd;
    if (wireType === 0) position = skipVarint(message, tagEnd);
    else if (wireType === 1) position = tagEnd + 8;
    else if (wireType === 5) position = tagEnd + 4;
    else {
      valueStart = skipVarint(message, tagEnd);
      position = valueStart + unsigned(message, tagEnd, valueStart);
    }
    if (position > message.end) {
      const needed = position - valueStart;
      throw damaged(
        message,
        start,
        `field ${number} needs ${needed} bytes but only ${message.end - valueStart} are left`,
      );
    }
    yield { message, number, wireType, start, valueStart, end: position };
  }
}

/** Byte `position` of a file. The callers make sure that it exists. */
function byteAt(file: Uint8Array, position: number): number {
  const byte = file[position];
  if (byte === undefined) throw new FoveaError('internal', `the file has no byte ${position}`);
  return byte;
}

function skipVarint(message: Message, position: number): number {
  const limit = Math.min(message.end, position + 10);
  for (let i = position; i < limit; i++) if (byteAt(message.file, i) < 0x80) return i + 1;
  throw damaged(
    message,
    position,
    limit === message.end ? 'a number is cut off' : 'a number is too long',
  );
}

/**
 * The varint as an unsigned number. It is exact up to 2^53, which is enough for tags and lengths.
 */
function unsigned(message: Message, start: number, end: number): number {
  let value = 0;
  for (let i = end - 1; i >= start; i--) value = value * 128 + (byteAt(message.file, i) & 0x7f);
  return value;
}

function expectWire(field: Field, wireType: WireType): void {
  if (field.wireType === wireType) return;
  throw damaged(
    field.message,
    field.start,
    `field ${field.number} has wire type ${field.wireType}, but ${wireType} was expected`,
  );
}

/** The bytes of a field in the file, including its tag. */
export function rawField(field: Field): Uint8Array {
  return field.message.file.subarray(field.start, field.end);
}

/** The content of a length-delimited field, not copied. */
export function bytesField(field: Field): Uint8Array {
  expectWire(field, 2);
  return field.message.file.subarray(field.valueStart, field.end);
}

/**
 * The text of a field, such as a name.
 * @throws FoveaError `model` if it is not UTF-8.
 */
export function stringField(field: Field): string {
  const bytes = bytesField(field);
  try {
    return utf8.decode(bytes);
  } catch {
    throw damaged(field.message, field.start, `the text of field ${field.number} is not UTF-8`);
  }
}

/** Decodes bytes as UTF-8. Invalid bytes become replacement characters. */
export function lenientString(bytes: Uint8Array): string {
  return utf8Lenient.decode(bytes);
}

/**
 * The message in a length-delimited field.
 * @throws FoveaError `model` if messages are nested more than 64 levels deep.
 */
export function messageField(field: Field, what: string): Message {
  expectWire(field, 2);
  const depth = field.message.depth + 1;
  if (depth > maximumDepth)
    throw damaged(field.message, field.start, 'graphs are nested too deeply');
  return { file: field.message.file, start: field.valueStart, end: field.end, what, depth };
}

/** The bytes of a message, not copied. */
export function messageBytes(message: Message): Uint8Array {
  return message.file.subarray(message.start, message.end);
}

/** A signed 64-bit integer as a number. It is exact up to 2^53, and the nearest double beyond. */
export function intField(field: Field): number {
  expectWire(field, 0);
  return varintAt(field.message.file, field.valueStart, field.end);
}

/** A 32-bit float. */
export function floatField(field: Field): number {
  expectWire(field, 5);
  return viewOf(field.message.file).getFloat32(field.valueStart, true);
}

function appendVarints<T>(
  field: Field,
  into: T[],
  read: (file: Uint8Array, start: number, end: number) => T,
): void {
  const { file } = field.message;
  if (field.wireType !== 0) expectWire(field, 2);
  const packed = { ...field.message, start: field.valueStart, end: field.end };
  for (let position = packed.start; position < packed.end; ) {
    const end = skipVarint(packed, position);
    into.push(read(file, position, end));
    position = end;
  }
}

/** Appends the integers of a repeated field, packed or not. */
export const appendInts = (field: Field, into: number[]): void =>
  appendVarints(field, into, varintAt);

/** Appends the 64-bit integers of a repeated field, packed or not, exactly. */
export const appendBigInts = (field: Field, into: bigint[]): void =>
  appendVarints(field, into, bigVarint);

/** Appends the floats of a repeated field, packed or not. Each float has `size` bytes. */
export function appendFloats(field: Field, size: 4 | 8, into: number[]): void {
  const single = size === 4 ? 5 : 1;
  if (field.wireType !== single) expectWire(field, 2);
  if ((field.end - field.valueStart) % size !== 0) {
    throw damaged(
      field.message,
      field.start,
      `field ${field.number} is not a whole number of ${size}-byte numbers`,
    );
  }
  const view = viewOf(field.message.file);
  for (let position = field.valueStart; position < field.end; position += size) {
    into.push(size === 4 ? view.getFloat32(position, true) : view.getFloat64(position, true));
  }
}

function varintAt(file: Uint8Array, start: number, end: number): number {
  if (end - start > 7) return Number(bigVarint(file, start, end));
  let value = 0;
  for (let i = end - 1; i >= start; i--) value = value * 128 + (byteAt(file, i) & 0x7f);
  return value;
}

function bigVarint(file: Uint8Array, start: number, end: number): bigint {
  let value = 0n;
  for (let i = end - 1; i >= start; i--) value = (value << 7n) | BigInt(byteAt(file, i) & 0x7f);
  return BigInt.asIntN(64, value);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes of a written message as a list of slices, so that weights are never copied. */
export interface Chunks {
  readonly parts: readonly Uint8Array[];
  readonly length: number;
}

/** Writes the fields of one message in the order of the calls. */
export interface WireWriter {
  int(number: number, value: number | bigint): void;
  float(number: number, value: number): void;
  string(number: number, value: string): void;
  bytes(number: number, value: Uint8Array): void;
  message(number: number, value: Chunks): void;
  packedInts(number: number, values: readonly number[]): void;
  packedFloats(number: number, values: readonly number[]): void;
  /** Writes fields as bytes of a file, including their tags. */
  raw(fields: readonly Uint8Array[]): void;
  finish(): Chunks;
}

/** Creates a writer for one message. */
export function createWireWriter(): WireWriter {
  const parts: Uint8Array[] = [];
  let length = 0;
  const push = (bytes: Uint8Array): void => {
    if (bytes.length === 0) return;
    parts.push(bytes);
    length += bytes.length;
  };
  const tag = (number: number, wireType: WireType, ...rest: number[]): void => {
    push(Uint8Array.from([...varintBytes(number * 8 + wireType), ...rest]));
  };
  const bytes = (number: number, value: Uint8Array): void => {
    tag(number, 2, ...varintBytes(value.length));
    push(value);
  };
  return {
    int: (number, value) => tag(number, 0, ...varintBytes(value)),
    float(number, value) {
      tag(number, 5);
      push(new Uint8Array(Float32Array.of(value).buffer));
    },
    string: (number, value) => bytes(number, utf8Encoder.encode(value)),
    bytes,
    message(number, value) {
      tag(number, 2, ...varintBytes(value.length));
      for (const part of value.parts) push(part);
    },
    packedInts: (number, values) => bytes(number, Uint8Array.from(values.flatMap(varintBytes))),
    packedFloats: (number, values) =>
      bytes(number, new Uint8Array(Float32Array.from(values).buffer)),
    raw: (fields) => fields.forEach(push),
    finish: () => ({ parts, length }),
  };
}

/** Describes bytes that are already a whole message. */
export function chunksOf(bytes: Uint8Array): Chunks {
  return { parts: bytes.length > 0 ? [bytes] : [], length: bytes.length };
}

const largestInt64 = 2n ** 63n - 1n;
const smallestInt64 = -(2n ** 63n);

function varintBytes(value: number | bigint): number[] {
  const bytes: number[] = [];
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
    bytes.push(rest);
    return bytes;
  }
  // A double beyond the range of int64 is the rounded value of an int64, so it is limited to the
  // range.
  const exact = BigInt(value);
  const clamped =
    exact > largestInt64 ? largestInt64 : exact < smallestInt64 ? smallestInt64 : exact;
  let rest = BigInt.asUintN(64, clamped);
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return bytes;
}

const smallPart = 4096;

/**
 * Joins consecutive small parts, so that few writes are needed for a file. Parts of more than 4096
 * bytes stay as they are.
 */
export function joinSmallParts(parts: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  const flush = (): void => {
    if (run.length > 0) joined.push(...(run.length === 1 ? run : [concatenate(run)]));
    run = [];
  };
  for (const part of parts) {
    if (part.length <= smallPart) run.push(part);
    else {
      flush();
      joined.push(part);
    }
  }
  flush();
  return joined;
}

/** Copies all parts into one buffer. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    whole.set(part, position);
    position += part.length;
  }
  return whole;
}
