import { FoveaError } from '../errors.ts';
import { nearestNames } from '../near-names.ts';
import {
  freshNames,
  type Graph,
  isInitializer,
  type Node,
  namesOf,
  nodeInputs,
  producersOf,
  type TensorType,
  type ValueInfo,
} from './graph.ts';
import { inferShapes } from './shape-inference/index.ts';

/** The tensors at which a graph is cut. */
export interface Cut {
  /** Tensors that become the inputs, in this order. Nodes before them are removed. */
  readonly inputs: readonly string[];
  /** Tensors that become the outputs, in this order. */
  readonly outputs: readonly string[];
}

/**
 * The part of a graph between named tensors. It contains the nodes that the outputs need, cut at
 * the inputs, and the initializers that these nodes read. Types and shapes of the new inputs and
 * outputs are taken from `types`. By default they are inferred.
 * @throws FoveaError `model` if a tensor does not exist, if the outputs need other inputs, or if an
 * input or output is not needed. `unsupported` if the element type of an input is not known.
 */
export function subgraph(graph: Graph, cut: Cut, types?: ReadonlyMap<string, TensorType>): Graph {
  const producers = producersOf(graph);
  checkNames(graph, cut, producers);
  const { nodes, used } = neededNodes(graph, cut, producers);
  for (const input of cut.inputs) {
    if (!used.has(input))
      throw new FoveaError('model', `no output of ${list(cut.outputs)} depends on "${input}"`);
  }
  const known = types ?? inferShapes(graph);
  const describe = (name: string): ValueInfo => {
    const declared = [...graph.inputs, ...graph.outputs].find((info) => info.name === name);
    return (
      declared ?? { name, ...(known.get(name) ?? { type: null, shape: null }), otherFields: [] }
    );
  };
  const inputs = cut.inputs.map(describe);
  const untyped = inputs.find((info) => info.type === null && info.opaqueType === undefined);
  if (untyped)
    throw new FoveaError(
      'unsupported',
      `the element type of the tensor "${untyped.name}" is not known`,
    );
  const kept = new Set(nodes.flatMap((node) => node.outputs));
  return {
    ...graph,
    nodes: withoutOutputs(graph, nodes, new Set(cut.inputs)),
    inputs,
    outputs: cut.outputs.map(describe),
    initializers: filterMap(graph.initializers, (name) => used.has(name)),
    sparseInitializers: filterMap(graph.sparseInitializers, (name) => used.has(name)),
    valueInfo: filterMap(graph.valueInfo, (name) => kept.has(name) && !cut.inputs.includes(name)),
    quantizationAnnotations: graph.quantizationAnnotations.filter(({ tensorName }) =>
      used.has(tensorName),
    ),
  };
}

function list(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}

function filterMap<T>(
  map: ReadonlyMap<string, T>,
  keep: (name: string) => boolean,
): Map<string, T> {
  return new Map([...map].filter(([name]) => keep(name)));
}

function checkNames(
  graph: Graph,
  { inputs, outputs }: Cut,
  producers: ReadonlyMap<string, Node>,
): void {
  const tensors = [...graph.inputs.map((input) => input.name), ...producers.keys()];
  const known = new Set([
    ...tensors,
    ...graph.initializers.keys(),
    ...graph.sparseInitializers.keys(),
  ]);
  for (const name of [...inputs, ...outputs]) {
    if (known.has(name)) continue;
    throw new FoveaError(
      'model',
      `the model has no tensor "${name}".${nearestNames(name, tensors)}`,
    );
  }
  for (const name of outputs) {
    if (producers.has(name) && !inputs.includes(name)) continue;
    throw new FoveaError(
      'model',
      `the output "${name}" does not depend on ${list(inputs) || 'any input'}`,
    );
  }
}

/**
 * Walks back from the outputs to the inputs. Returns the nodes on the way, in the order of the
 * graph, and all tensors that they read.
 */
function neededNodes(
  graph: Graph,
  cut: Cut,
  producers: ReadonlyMap<string, Node>,
): { nodes: Node[]; used: Set<string> } {
  const boundary = new Set(cut.inputs);
  const needed = new Set<Node>();
  const used = new Set<string>();
  const open = cut.outputs.map((name) => ({ name, output: name }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { name, output } = next;
    const producer = producers.get(name);
    if (producer === undefined) {
      if (isInitializer(graph, name)) continue;
      const way =
        cut.inputs.length > 0 ? ` by a path that does not lead through ${list(cut.inputs)}` : '';
      throw new FoveaError('model', `the output "${output}" depends on the input "${name}"${way}`);
    }
    if (needed.has(producer)) continue;
    needed.add(producer);
    for (const input of nodeInputs(producer)) {
      used.add(input);
      if (!boundary.has(input)) open.push({ name: input, output });
    }
  }
  const dependent = new Set(boundary);
  const nodes = graph.nodes.filter((node) => needed.has(node));
  for (const node of nodes) {
    if (nodeInputs(node).some((name) => dependent.has(name)))
      for (const name of node.outputs) dependent.add(name);
  }
  const constant = cut.outputs.find((name) => boundary.size > 0 && !dependent.has(name));
  if (constant)
    throw new FoveaError(
      'model',
      `the output "${constant}" does not depend on ${list(cut.inputs)}`,
    );
  return { nodes, used };
}

/**
 * A node that is kept for one output may also compute a tensor that is now an input. This output
 * gets another name.
 */
function withoutOutputs(graph: Graph, nodes: readonly Node[], inputs: ReadonlySet<string>): Node[] {
  const fresh = freshNames(namesOf(graph));
  return nodes.map((node) => {
    if (!node.outputs.some((name) => inputs.has(name))) return node;
    return {
      ...node,
      outputs: node.outputs.map((name) => (inputs.has(name) ? fresh(`${name}_unused`) : name)),
    };
  });
}
