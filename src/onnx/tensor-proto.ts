import { dataTypeCode, dataTypeName } from './data-types.ts';
import type { Initializer, SparseInitializer, TensorData } from './initializer.ts';
import { sourceOf, withSource } from './source.ts';
import {
  appendInts,
  bytesField,
  type Chunks,
  chunksOf,
  createWireWriter,
  damaged,
  type Field,
  fieldsOf,
  intField,
  type Message,
  messageBytes,
  messageField,
  rawField,
  stringField,
} from './wire.ts';

/**
 * Reads the key and the value of a StringStringEntryProto.
 * @throws FoveaError `model` if it is damaged.
 */
export function parseEntry(message: Message): [key: string, value: string] {
  let key = '';
  let value = '';
  for (const field of fieldsOf(message)) {
    if (field.number === 1) key = stringField(field);
    else if (field.number === 2) value = stringField(field);
  }
  return [key, value];
}

/** Writes a StringStringEntryProto. */
export function encodeEntry(key: string, value: string): Chunks {
  const writer = createWireWriter();
  writer.string(1, key);
  writer.string(2, value);
  return writer.finish();
}

/**
 * Reads a TensorProto. Its values are slices of the file.
 * @throws FoveaError `model` if it is damaged.
 */
export function parseTensor(message: Message): Initializer {
  const dims: number[] = [];
  const otherFields: Uint8Array[] = [];
  const typedFields: Uint8Array[] = [];
  const entries = new Map<string, string>();
  let name = '';
  let code = 0;
  let raw: Uint8Array | undefined;
  let external = false;
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1:
        appendInts(field, dims);
        break;
      case 2:
        code = intField(field);
        break;
      case 8:
        name = stringField(field);
        break;
      case 9:
        raw = bytesField(field);
        break;
      case 13:
        entries.set(...parseEntry(messageField(field, 'external_data')));
        break;
      case 14:
        external = intField(field) === 1;
        break;
      case 4:
      case 5:
      case 6:
      case 7:
      case 10:
      case 11:
        appendSlice(typedFields, field);
        break;
      default:
        otherFields.push(rawField(field));
    }
  }
  if (dims.some((dim) => dim < 0))
    throw damaged(message, message.start, `the tensor "${name}" has a negative size`);
  const data = external ? externalData(message, name, entries) : tensorData(raw, typedFields);
  return withSource(
    { name, type: dataTypeName(code), dims, data, otherFields },
    messageBytes(message),
  );
}

function tensorData(raw: Uint8Array | undefined, fields: Uint8Array[]): TensorData {
  return raw === undefined ? { kind: 'fields', fields } : { kind: 'raw', bytes: raw };
}

function externalData(
  message: Message,
  name: string,
  entries: ReadonlyMap<string, string>,
): TensorData {
  const location = entries.get('location');
  const offset = Number(entries.get('offset') ?? 0);
  const length = entries.has('length') ? Number(entries.get('length')) : null;
  if (!location || !isSize(offset) || (length !== null && !isSize(length))) {
    throw damaged(
      message,
      message.start,
      `the tensor "${name}" has no valid location of its external data`,
    );
  }
  return { kind: 'external', location, offset, length };
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/**
 * Appends the bytes of a field to a list of slices. Bytes that directly follow the last slice are
 * joined with it, so that unpacked values become one slice.
 */
function appendSlice(slices: Uint8Array[], field: Field): void {
  const bytes = rawField(field);
  const last = slices.at(-1);
  if (last && last.byteOffset + last.length === bytes.byteOffset) {
    slices[slices.length - 1] = new Uint8Array(
      last.buffer,
      last.byteOffset,
      last.length + bytes.length,
    );
  } else slices.push(bytes);
}

/** Writes the TensorProto of an initializer. */
export function encodeTensor(tensor: Initializer): Chunks {
  const source = sourceOf(tensor);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  if (tensor.dims.length > 0) writer.packedInts(1, tensor.dims);
  writer.int(2, dataTypeCode(tensor.type));
  if (tensor.name !== '') writer.string(8, tensor.name);
  const { data } = tensor;
  if (data.kind === 'raw') writer.bytes(9, data.bytes);
  else if (data.kind === 'fields') writer.raw(data.fields);
  else {
    writer.message(13, encodeEntry('location', data.location));
    writer.message(13, encodeEntry('offset', String(data.offset)));
    if (data.length !== null) writer.message(13, encodeEntry('length', String(data.length)));
    writer.int(14, 1);
  }
  writer.raw(tensor.otherFields);
  return writer.finish();
}

/**
 * Reads a SparseTensorProto. Indices and dims are not decoded.
 * @throws FoveaError `model` if it is damaged.
 */
export function parseSparseTensor(message: Message): SparseInitializer {
  let values: Initializer | undefined;
  const otherFields: Uint8Array[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) values = parseTensor(messageField(field, 'TensorProto'));
    else otherFields.push(rawField(field));
  }
  if (values === undefined) throw damaged(message, message.start, 'a sparse tensor has no values');
  return withSource({ values, otherFields }, messageBytes(message));
}

/** Writes the SparseTensorProto of a sparse initializer. */
export function encodeSparseTensor(sparse: SparseInitializer): Chunks {
  const source = sourceOf(sparse);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  writer.message(1, encodeTensor(sparse.values));
  writer.raw(sparse.otherFields);
  return writer.finish();
}
