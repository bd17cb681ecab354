import { FoveaError } from '../../errors.ts';
import {
  type Attribute,
  type FunctionBody,
  freshNames,
  functionBodies,
  type Graph,
  type Node,
  namesOf,
  nestedGraphs,
  type OnnxModel,
  referencedAttribute,
} from '../../onnx/index.ts';

/**
 * The graph of a model in which the body of each local function replaces its calls.
 * @throws FoveaError `model` if functions call each other without end or become too many nodes,
 * `unsupported` if a function uses another operator set than the model or contains control flow.
 */
export function inlineFunctions(model: OnnxModel): Graph {
  const { graph } = model;
  if (model.functions.length === 0) return graph;
  const bodies = functionBodies(model);
  const fresh = freshNames(namesOf(graph));
  const opset = new Map(graph.opset);
  const inline = (nodes: readonly Node[]): Node[] =>
    nodes.flatMap((node) => {
      const body = bodies.get(`${node.domain}:${node.opType}`);
      if (body === undefined) return [node];
      for (const [domain, version] of body.opset) importOpset(opset, domain, version, node);
      return inline(expanded(node, body, fresh));
    });
  const nodes = inline(graph.nodes);
  return { ...graph, nodes, opset };
}

function importOpset(
  opset: Map<string, number>,
  domain: string,
  version: number,
  node: Node,
): void {
  const own = opset.get(domain);
  if (own === undefined) opset.set(domain, version);
  else if (own !== version && domain === '') {
    throw new FoveaError(
      'unsupported',
      `the model cannot be differentiated: its local function ${node.domain}:${node.opType} ` +
        `uses opset ${version}, but the model uses opset ${own}`,
    );
  }
}

/** The nodes of a function body, with the tensors and the attributes of one call. */
function expanded(call: Node, body: FunctionBody, fresh: (wish: string) => string): Node[] {
  const prefix = call.name === '' ? call.outputs[0] : call.name;
  const names = new Map<string, string>([['', '']]);
  for (const [i, name] of body.inputs.entries()) names.set(name, call.inputs[i] ?? '');
  for (const [i, name] of body.outputs.entries()) {
    const output = call.outputs[i] ?? '';
    if (output !== '') names.set(name, output);
  }
  const nameOf = (name: string): string => {
    const known = names.get(name);
    if (known !== undefined) return known;
    const made = fresh(`${prefix}/${name}`);
    names.set(name, made);
    return made;
  };
  return body.nodes.map((node) => {
    if (nestedGraphs(node).length > 0)
      throw new FoveaError(
        'unsupported',
        'the model cannot be differentiated: its local function ' +
          `${call.domain}:${call.opType} contains control flow`,
      );
    return {
      ...node,
      // Names of nodes must be unique in a model, and nodes of functions often have no name.
      name: fresh(`${prefix}/${node.name || node.opType}`),
      inputs: node.inputs.map(nameOf),
      outputs: node.outputs.map(nameOf),
      attributes: resolved(node, call, body),
    };
  });
}

/**
 * The attributes of a node of a function. An attribute that refers to an attribute of the call gets
 * its value or its default. If neither exists, the attribute is left out.
 */
function resolved(node: Node, call: Node, body: FunctionBody): ReadonlyMap<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const [name, attribute] of node.attributes) {
    const reference = referencedAttribute(attribute);
    const value =
      reference === undefined
        ? attribute
        : (call.attributes.get(reference) ?? body.defaults.get(reference));
    if (value) attributes.set(name, value);
  }
  return attributes;
}
