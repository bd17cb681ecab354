import type { Attribute, Node } from './graph.ts';
import { normalizeDomain, parseAttribute, parseNode } from './graph-proto.ts';
import type { LocalFunction } from './model-proto.ts';
import { fieldsOf, intField, messageField, messageOfBytes, stringField } from './wire.ts';

/** What a model-local function is made of. */
export interface FunctionBody {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Values of attributes that a call leaves out. */
  readonly defaults: ReadonlyMap<string, Attribute>;
  /** The operator sets that its nodes are written in. */
  readonly opset: ReadonlyMap<string, number>;
}

/** Reads the body of a model-local function. */
export function readFunction({ bytes }: LocalFunction): FunctionBody {
  const message = messageOfBytes(bytes, 'FunctionProto');
  const fields = [...fieldsOf(message)];
  const opset = new Map<string, number>();
  for (const field of fields.filter(({ number }) => number === 9)) {
    let [domain, version] = ['', 0];
    for (const part of fieldsOf(messageField(field, 'OperatorSetIdProto'))) {
      if (part.number === 1) domain = normalizeDomain(stringField(part));
      else if (part.number === 2) version = intField(part);
    }
    opset.set(domain, version);
  }
  const all = (number: number) => fields.filter((field) => field.number === number);
  return {
    inputs: all(4).map(stringField),
    outputs: all(5).map(stringField),
    nodes: all(7).map((field) => parseNode(messageField(field, 'NodeProto'), opset)),
    defaults: new Map(
      all(11).map((field) => parseAttribute(messageField(field, 'AttributeProto'), opset)),
    ),
    opset,
  };
}

/** The name of the function's attribute that an attribute of one of its nodes refers to. */
export function referencedAttribute(attribute: Attribute): string | undefined {
  if (attribute.type !== 'other') return undefined;
  const field = [...fieldsOf(messageOfBytes(attribute.value, 'AttributeProto'))].find(
    ({ number }) => number === 21,
  );
  return field ? stringField(field) : undefined;
}
