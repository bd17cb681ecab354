import { FoveaError } from '../errors.ts';
import { type Attribute, type Node, nestedGraphs } from './graph.ts';
import { normalizeDomain, parseAttribute, parseNode } from './graph-proto.ts';
import type { LocalFunction, OnnxModel } from './model-proto.ts';
import { fieldsOf, intField, messageField, messageOfBytes, stringField } from './wire.ts';

/** The body of a model-local function. */
export interface FunctionBody {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Default values of attributes that a call may leave out. */
  readonly defaults: ReadonlyMap<string, Attribute>;
  /** Versions of the operator sets of its nodes, by domain. */
  readonly opset: ReadonlyMap<string, number>;
}

/**
 * Reads the body of a model-local function.
 * @throws FoveaError `model` if it is damaged.
 */
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

/**
 * The name of the attribute of the function to which an attribute of one of its nodes refers.
 * Undefined if it is an ordinary attribute.
 */
export function referencedAttribute(attribute: Attribute): string | undefined {
  if (attribute.type !== 'other') return undefined;
  const field = [...fieldsOf(messageOfBytes(attribute.value, 'AttributeProto'))].find(
    ({ number }) => number === 21,
  );
  return field ? stringField(field) : undefined;
}

/**
 * Largest number of nodes after inlining local functions. More nodes are a sign of a hostile file.
 */
const MOST_NODES = 2 ** 18;

/**
 * The bodies of a model's local functions, by `DOMAIN:NAME`, the key with which nodes call them.
 * @throws FoveaError `model` if a function calls itself, or if the model would have more than
 * 262,144 nodes after inlining all calls, as runtimes do.
 */
export function functionBodies({ graph, functions }: OnnxModel): Map<string, FunctionBody> {
  const bodies = new Map(
    functions.map((local) => [`${local.domain}:${local.name}`, readFunction(local)]),
  );
  const sizes = new Map<string, number>();
  const sizeOf = (nodes: readonly Node[]): number =>
    nodes.reduce((sum, node) => {
      const inner = nestedGraphs(node).reduce((all, nested) => all + sizeOf(nested.nodes), 0);
      return sum + inner + sizeOfCall(`${node.domain}:${node.opType}`);
    }, 0);
  const sizeOfCall = (key: string): number => {
    const body = bodies.get(key);
    if (!body) return 1;
    const known = sizes.get(key);
    if (known === Number.POSITIVE_INFINITY)
      throw new FoveaError('model', `the local function ${key} calls itself`);
    if (known !== undefined) return known;
    sizes.set(key, Number.POSITIVE_INFINITY); // marks the function while its size is computed
    const size = sizeOf(body.nodes);
    sizes.set(key, size);
    return size;
  };
  if (bodies.size > 0 && sizeOf(graph.nodes) > MOST_NODES)
    throw new FoveaError(
      'model',
      `the model has more than ${MOST_NODES} nodes after inlining its local functions`,
    );
  return bodies;
}
