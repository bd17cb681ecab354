import { FoveaError } from '../errors.ts';
import type { Attribute, Graph, Node, QuantizationAnnotation, ValueInfo } from './graph.ts';
import type { Initializer, SparseInitializer } from './initializer.ts';
import { sourceOf, withSource } from './source.ts';
import {
  encodeEntry,
  encodeSparseTensor,
  encodeTensor,
  parseEntry,
  parseSparseTensor,
  parseTensor,
} from './tensor-proto.ts';
import { encodeValueInfo, parseValueInfo } from './value-info-proto.ts';
import {
  appendFloats,
  appendInts,
  bytesField,
  type Chunks,
  chunksOf,
  createWireWriter,
  damaged,
  type Field,
  fieldsOf,
  floatField,
  intField,
  lenientString,
  type Message,
  messageBytes,
  messageField,
  messageOfBytes,
  rawField,
  stringField,
  type WireWriter,
} from './wire.ts';

type Opset = ReadonlyMap<string, number>;

/** The domain of an operator set as this code writes it: '' for `ai.onnx`. */
export function normalizeDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/**
 * Reads a GraphProto. `opset` comes from the model that contains it.
 * @throws FoveaError `model` if it is damaged or two initializers have the same name.
 */
export function parseGraph(message: Message, opset: Opset): Graph {
  const nodes: Node[] = [];
  const inputs: ValueInfo[] = [];
  const outputs: ValueInfo[] = [];
  const initializers = new Map<string, Initializer>();
  const sparseInitializers = new Map<string, SparseInitializer>();
  const valueInfo = new Map<string, ValueInfo>();
  const quantizationAnnotations: QuantizationAnnotation[] = [];
  const otherFields: Uint8Array[] = [];
  let name = '';
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1:
        nodes.push(parseNode(messageField(field, 'NodeProto'), opset));
        break;
      case 2:
        name = stringField(field);
        break;
      case 5: {
        const tensor = parseTensor(messageField(field, 'TensorProto'));
        if (initializers.has(tensor.name))
          throw new FoveaError('model', `two initializers are named "${tensor.name}"`);
        initializers.set(tensor.name, tensor);
        break;
      }
      case 11:
        inputs.push(parseValueInfo(messageField(field, 'ValueInfoProto')));
        break;
      case 12:
        outputs.push(parseValueInfo(messageField(field, 'ValueInfoProto')));
        break;
      case 13: {
        const info = parseValueInfo(messageField(field, 'ValueInfoProto'));
        valueInfo.set(info.name, info);
        break;
      }
      case 14:
        quantizationAnnotations.push(parseAnnotation(messageField(field, 'TensorAnnotation')));
        break;
      case 15: {
        const sparse = parseSparseTensor(messageField(field, 'SparseTensorProto'));
        sparseInitializers.set(sparse.values.name, sparse);
        break;
      }
      default:
        otherFields.push(rawField(field));
    }
  }
  const tensors = { initializers, sparseInitializers, valueInfo, quantizationAnnotations };
  return withSource(
    { name, nodes, inputs, outputs, ...tensors, opset, otherFields },
    messageBytes(message),
  );
}

/**
 * Writes the GraphProto of a graph. Parts that were read and not changed are emitted as their
 * original bytes.
 */
export function encodeGraph(graph: Graph): Chunks {
  const source = sourceOf(graph);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  for (const node of graph.nodes) writer.message(1, encodeNode(node));
  writer.string(2, graph.name);
  for (const tensor of graph.initializers.values()) writer.message(5, encodeTensor(tensor));
  for (const info of graph.inputs) writer.message(11, encodeValueInfo(info));
  for (const info of graph.outputs) writer.message(12, encodeValueInfo(info));
  for (const info of graph.valueInfo.values()) writer.message(13, encodeValueInfo(info));
  for (const annotation of graph.quantizationAnnotations)
    writer.message(14, encodeAnnotation(annotation));
  for (const sparse of graph.sparseInitializers.values())
    writer.message(15, encodeSparseTensor(sparse));
  writer.raw(graph.otherFields);
  return writer.finish();
}

function parseAnnotation(message: Message): QuantizationAnnotation {
  let tensorName = '';
  const parameters = new Map<string, string>();
  for (const field of fieldsOf(message)) {
    if (field.number === 1) tensorName = stringField(field);
    else if (field.number === 2)
      parameters.set(...parseEntry(messageField(field, 'StringStringEntryProto')));
  }
  return withSource({ tensorName, parameters }, messageBytes(message));
}

function encodeAnnotation(annotation: QuantizationAnnotation): Chunks {
  const source = sourceOf(annotation);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  writer.string(1, annotation.tensorName);
  for (const [key, value] of annotation.parameters) writer.message(2, encodeEntry(key, value));
  return writer.finish();
}

/**
 * Reads a NodeProto. `opset` is the opset of graphs in its attributes.
 * @throws FoveaError `model` if it is damaged or names no operator.
 */
export function parseNode(message: Message, opset: Opset): Node {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, Attribute>();
  const otherFields: Uint8Array[] = [];
  let [name, opType, domain] = ['', '', ''];
  for (const field of fieldsOf(message)) {
    switch (field.number) {
      case 1:
        inputs.push(stringField(field));
        break;
      case 2:
        outputs.push(stringField(field));
        break;
      case 3:
        name = stringField(field);
        break;
      case 4:
        opType = stringField(field);
        break;
      case 5:
        attributes.set(...parseAttribute(messageField(field, 'AttributeProto'), opset));
        break;
      case 7:
        domain = normalizeDomain(stringField(field));
        break;
      default:
        otherFields.push(rawField(field));
    }
  }
  if (opType === '') throw damaged(message, message.start, `the node "${name}" names no operator`);
  return withSource(
    { name, opType, domain, inputs, outputs, attributes, otherFields },
    messageBytes(message),
  );
}

/** Writes the NodeProto of a node. */
function encodeNode(node: Node): Chunks {
  const source = sourceOf(node);
  if (source) return chunksOf(source);
  const writer = createWireWriter();
  for (const input of node.inputs) writer.string(1, input);
  for (const output of node.outputs) writer.string(2, output);
  if (node.name !== '') writer.string(3, node.name);
  writer.string(4, node.opType);
  for (const [name, attribute] of node.attributes)
    writer.message(5, encodeAttribute(name, attribute));
  if (node.domain !== '') writer.string(7, node.domain);
  writer.raw(node.otherFields);
  return writer.finish();
}

/** The types of attributes, in the order of their codes in AttributeProto. */
const types = [
  ...(['float', 'int', 'string', 'tensor', 'graph'] as const),
  ...(['floats', 'ints', 'strings', 'tensors', 'graphs'] as const),
];

type ValueType = (typeof types)[number];

/** The code of a type. The first type has the code 1. */
const codeOf = (type: ValueType): number => types.indexOf(type) + 1;

/** The number of the field with the value. It is the code of the type plus 1. */
const fieldOf = (type: ValueType): number => codeOf(type) + 1;

/** The type to which a field belongs. Old files do not contain the type itself. */
const typeOfField = (field: number): ValueType | undefined => types[field - 2];

const nameField = 1;
const typeField = 20;
const functionReferenceField = 21;

/**
 * Reads an AttributeProto: its name and value.
 * @throws FoveaError `model` if it is damaged.
 */
export function parseAttribute(
  message: Message,
  opset: Opset,
): [name: string, attribute: Attribute] {
  const fields = [...fieldsOf(message)];
  let name = '';
  let type: Attribute['type'] | undefined;
  for (const field of fields) {
    if (field.number === nameField) name = stringField(field);
    else if (field.number === typeField) type = types[intField(field) - 1] ?? 'other';
    else if (field.number === functionReferenceField) type = 'other';
  }
  type ??=
    fields.map((field) => typeOfField(field.number)).find((found) => found !== undefined) ??
    'other';
  const attribute = attributeValue(message, type, fields, opset);
  return [name, withSource(attribute, messageBytes(message))];
}

function attributeValue(
  message: Message,
  type: Attribute['type'],
  all: readonly Field[],
  opset: Opset,
): Attribute {
  const fields = all.filter((field) => typeOfField(field.number) === type);
  const last = fields.at(-1);
  switch (type) {
    case 'float':
      return { type, value: last ? floatField(last) : 0 };
    case 'int':
      return { type, value: last ? intField(last) : 0 };
    case 'string':
      return { type, value: last ? lenientString(bytesField(last)) : '' };
    case 'floats':
      return { type, value: collect(fields, (field, into) => appendFloats(field, 4, into)) };
    case 'ints':
      return { type, value: collect(fields, appendInts) };
    case 'strings':
      return { type, value: fields.map((field) => lenientString(bytesField(field))) };
    case 'tensors':
      return { type, value: fields.map(tensorIn) };
    case 'graphs':
      return {
        type,
        value: fields.map((field) => parseGraph(messageField(field, 'GraphProto'), opset)),
      };
    case 'other':
      return { type, value: messageBytes(message) };
  }
  if (!last) throw damaged(message, message.start, `a ${type} attribute has no value`);
  if (type === 'tensor') return { type, value: tensorIn(last) };
  return { type, value: parseGraph(messageField(last, 'GraphProto'), opset) };
}

function tensorIn(field: Field): Initializer {
  return parseTensor(messageField(field, 'TensorProto'));
}

function collect(
  fields: readonly Field[],
  append: (field: Field, into: number[]) => void,
): number[] {
  const values: number[] = [];
  for (const field of fields) append(field, values);
  return values;
}

function encodeAttribute(name: string, attribute: Attribute): Chunks {
  const source = sourceOf(attribute);
  // An attribute does not contain its name. So the original bytes are used only if the name is
  // still the one in these bytes.
  if (source && attributeName(source) === name) return chunksOf(source);
  if (attribute.type === 'other') return chunksOf(attribute.value);
  const writer = createWireWriter();
  writer.string(nameField, name);
  writeValue(writer, attribute);
  writer.int(typeField, codeOf(attribute.type));
  return writer.finish();
}

function attributeName(bytes: Uint8Array): string {
  const fields = [...fieldsOf(messageOfBytes(bytes, 'AttributeProto'))];
  return (
    fields
      .filter((field) => field.number === nameField)
      .map(stringField)
      .at(-1) ?? ''
  );
}

type Value = Exclude<Attribute, { type: 'other' }>;

function writeValue(writer: WireWriter, attribute: Value): void {
  const field = fieldOf(attribute.type);
  switch (attribute.type) {
    case 'float':
      writer.float(field, attribute.value);
      break;
    case 'int':
      writer.int(field, attribute.value);
      break;
    case 'string':
      writer.string(field, attribute.value);
      break;
    case 'tensor':
      writer.message(field, encodeTensor(attribute.value));
      break;
    case 'graph':
      writer.message(field, encodeGraph(attribute.value));
      break;
    case 'floats':
      for (const value of attribute.value) writer.float(field, value);
      break;
    case 'ints':
      for (const value of attribute.value) writer.int(field, value);
      break;
    case 'strings':
      for (const value of attribute.value) writer.string(field, value);
      break;
    case 'tensors':
      for (const value of attribute.value) writer.message(field, encodeTensor(value));
      break;
    case 'graphs':
      for (const value of attribute.value) writer.message(field, encodeGraph(value));
      break;
  }
}
