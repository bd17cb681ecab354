import { FoveaError } from '../errors.ts';
import type { AttributeValues, Node } from './graph.ts';
import type { Initializer } from './initializer.ts';

function attributeOf<T extends keyof AttributeValues>(
  node: Node,
  name: string,
  type: T,
): AttributeValues[T] | undefined {
  const attribute = node.attributes.get(name);
  if (attribute === undefined) return undefined;
  if (attribute.type !== type) {
    const where = `${node.opType} node "${node.name}"`;
    throw new FoveaError(
      'model',
      `attribute ${name} of ${where} is of type ${attribute.type}, not ${type}`,
    );
  }
  return attribute.value as AttributeValues[T];
}

/**
 * An int attribute, or `otherwise` if the node does not have it.
 * @throws FoveaError `model` if the attribute has another type.
 */
export function intAttribute<D = undefined>(node: Node, name: string, otherwise?: D): number | D {
  return attributeOf(node, name, 'int') ?? (otherwise as D);
}

/**
 * A float attribute, or `otherwise` if the node does not have it.
 * @throws FoveaError `model` if the attribute has another type.
 */
export function floatAttribute<D = undefined>(node: Node, name: string, otherwise?: D): number | D {
  return attributeOf(node, name, 'float') ?? (otherwise as D);
}

/**
 * A string attribute, or `otherwise` if the node does not have it.
 * @throws FoveaError `model` if the attribute has another type.
 */
export function stringAttribute<D = undefined>(
  node: Node,
  name: string,
  otherwise?: D,
): string | D {
  return attributeOf(node, name, 'string') ?? (otherwise as D);
}

/**
 * A list of ints, or `otherwise` if the node does not have it.
 * @throws FoveaError `model` if the attribute has another type.
 */
export function intsAttribute<D = undefined>(
  node: Node,
  name: string,
  otherwise?: D,
): readonly number[] | D {
  return attributeOf(node, name, 'ints') ?? (otherwise as D);
}

/**
 * A list of floats, or `otherwise` if the node does not have it.
 * @throws FoveaError `model` if the attribute has another type.
 */
export function floatsAttribute<D = undefined>(
  node: Node,
  name: string,
  otherwise?: D,
): readonly number[] | D {
  return attributeOf(node, name, 'floats') ?? (otherwise as D);
}

/**
 * A tensor attribute, or undefined if the node does not have it.
 * @throws FoveaError `model` if the attribute has another type.
 */
export function tensorAttribute(node: Node, name: string): Initializer | undefined {
  return attributeOf(node, name, 'tensor');
}
