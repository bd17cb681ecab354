import { dataTypeCode, dataTypeName } from './data-types.ts';
import type { Dim, TensorType, ValueInfo } from './graph.ts';
import { sourceOf, withSource } from './source.ts';
import {
  bytesField,
  type Chunks,
  chunksOf,
  createWireWriter,
  fieldsOf,
  intField,
  type Message,
  messageBytes,
  messageField,
  rawField,
  stringField,
} from './wire.ts';

/**
 * Reads a ValueInfoProto, the declared type of a tensor.
 * @throws FoveaError `model` if it is damaged.
 */
export function parseValueInfo(message: Message): ValueInfo {
  let name = '';
  let type: ParsedType = { type: null, shape: null };
  const otherFields: Uint8Array[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) name = stringField(field);
    else if (field.number === 2) {
      type = { ...parseType(messageField(field, 'TypeProto')) };
      if (type.opaque) type = { type: null, shape: null, opaqueType: bytesField(field) };
    } else otherFields.push(rawField(field));
  }
  const { opaque: _, ...known } = type;
  return withSource({ name, ...known, otherFields }, messageBytes(message));
}

interface ParsedType extends TensorType {
  readonly opaque?: boolean;
  readonly opaqueType?: Uint8Array;
}

function parseType(message: Message): ParsedType {
  let result: ParsedType = { type: null, shape: null };
  for (const field of fieldsOf(message)) {
    if (field.number === 1) result = parseTensorType(messageField(field, 'TypeProto.Tensor'));
    else if (field.number !== 6) result = { type: null, shape: null, opaque: true };
  }
  return result;
}

function parseTensorType(message: Message): TensorType {
  let code = 0;
  let shape: Dim[] | null = null;
  for (const field of fieldsOf(message)) {
    if (field.number === 1) code = intField(field);
    else if (field.number === 2) shape = parseShape(messageField(field, 'TensorShapeProto'));
  }
  return { type: code === 0 ? null : dataTypeName(code), shape };
}

function parseShape(message: Message): Dim[] {
  const shape: Dim[] = [];
  for (const field of fieldsOf(message)) {
    if (field.number === 1) shape.push(parseDim(messageField(field, 'TensorShapeProto.Dimension')));
  }
  return shape;
}

function parseDim(message: Message): Dim {
  let dim: Dim = null;
  for (const field of fieldsOf(message)) {
    // Some exporters write a negative size for an unknown one.
    if (field.number === 1) dim = intField(field) < 0 ? null : intField(field);
    else if (field.number === 2) dim = stringField(field) || null;
  }
  return dim;
}

/** Writes the ValueInfoProto of a declared type. */
export function encodeValueInfo(info: ValueInfo): Chunks {
  const source = sourceOf(info);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  writer.string(1, info.name);
  if (info.opaqueType) writer.bytes(2, info.opaqueType);
  else if (info.type !== null) writer.message(2, encodeType(info));
  writer.raw(info.otherFields);
  return writer.finish();
}

function encodeType({ type, shape }: TensorType): Chunks {
  const tensor = createWireWriter();
  if (type !== null) tensor.int(1, dataTypeCode(type));
  if (shape !== null) {
    const dims = createWireWriter();
    for (const dim of shape) {
      const writer = createWireWriter();
      if (typeof dim === 'number') writer.int(1, dim);
      else if (dim !== null) writer.string(2, dim);
      dims.message(1, writer.finish());
    }
    tensor.message(2, dims.finish());
  }
  const writer = createWireWriter();
  writer.message(1, tensor.finish());
  return writer.finish();
}
