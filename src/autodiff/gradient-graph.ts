import { FoveaError } from '../errors.ts';
import { nearestNames } from '../near-names.ts';
import {
  type DataType,
  dataInputs,
  type Graph,
  inferTensors,
  isFloat,
  type Node,
  opsetOf,
  producersOf,
  type Shape,
  type TensorInfo,
  type ValueInfo,
} from '../onnx/index.ts';
import { checkAttributes, checkSizes, guarded, nameOf } from './guard.ts';
import { differentiableInputs, markPath, type RuleLookup } from './mark-path.ts';
import { createOps } from './ops.ts';
import { prune } from './passes/prune.ts';
import type { RuleTable } from './rule.ts';
import { operatorKey } from './rule.ts';
import { createRuleContext, gradientType, type OutputRequests } from './rule-context.ts';
import { gradientRules } from './rules/index.ts';
import { unbroadcast } from './unbroadcast.ts';

/** What to differentiate. */
export interface GradientOptions {
  /** The tensor whose gradient is asked for; its cotangent becomes a graph input. */
  readonly of: string;
  /** The tensors with respect to which: inputs, feature maps, attention maps, in any number. */
  readonly wrt: readonly string[];
  /** Tensors of the forward pass that are to be outputs too. */
  readonly outputs?: readonly string[];
  /**
   * Entries that replace those of the table, by operator or chosen for each node: guided
   * backpropagation, LRP, …
   */
  readonly rules?: RuleTable | RuleLookup;
  /** Shapes of graph inputs that replace the declared ones. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
}

/** A graph with a forward and a backward pass. */
export interface GradientGraph {
  /**
   * Its inputs are those of the forward graph, then the cotangent; its outputs `outputs`, then the
   * gradients.
   */
  readonly graph: Graph;
  /**
   * The input that takes the cotangent of `of`: the weights with which its elements are summed.
   * float32 for half precision.
   */
  readonly cotangent: string;
  /** The output with the gradient of each tensor of `wrt`. */
  readonly gradients: ReadonlyMap<string, string>;
}

/**
 * Forward and backward pass in one ordinary ONNX graph: reverse-mode differentiation by emitting
 * nodes. Weights are referred to, never copied. Half-precision gradients are computed in float32.
 * @throws FoveaError `model` if a tensor does not exist or `of` does not depend on it,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export function gradientGraph(
  graph: Graph,
  { of, wrt, outputs = [], rules = {}, inputShapes = {} }: GradientOptions,
): GradientGraph {
  checkNames(graph, [of, ...wrt, ...outputs]);
  const known = inferTensors(graph, { inputs: inputShapes });
  const lookup = lookupIn(rules);
  const path = markPath(graph, known, of, wrt, lookup);
  const ops = createOps(graph, known);
  const cotangent = declare(known, ops.fresh(`${of}_grad`), known.get(of));
  const requests: OutputRequests = new Map();
  const contributions = new Map<string, string[]>([[of, [cotangent.name]]]);
  const gradientOf = (tensor: string): string => {
    const parts = contributions.get(tensor) ?? [];
    if (parts.length > 1)
      contributions.set(tensor, [parts.reduce((sum, part) => ops.add(sum, part))]);
    return contributions.get(tensor)?.[0] ?? '';
  };
  for (const node of path.nodes.toReversed()) {
    const dy = node.outputs.map((name) => (name === '' ? '' : gradientOf(name)));
    const entry = lookup(node);
    if (entry?.kind !== 'rule' || dy.every((gradient) => gradient === '')) continue;
    const at = createRuleContext({
      graph,
      known,
      ops,
      node,
      requests,
      opset: opsetOf(graph, node),
      needed: path.tensors,
      entry,
    });
    checkSizes(known, node);
    checkAttributes(known, node);
    if (!entry.allOutputs && dy.slice(1).some((gradient) => gradient !== ''))
      at.refuse('no output but its first one to be used');
    const results = guarded(node, () => entry.rule(at, dy));
    for (const index of differentiableInputs(node, entry)) {
      const gradient = results[index] ?? '';
      if (gradient === '' || !at.needs(index)) continue;
      const tensor = node.inputs[index];
      const summed = guarded(node, () => unbroadcast(ops, gradient, tensor, () => at.input(index)));
      checkGradient(known, node, tensor, summed);
      contributions.set(tensor, [...(contributions.get(tensor) ?? []), summed]);
    }
  }
  const gradients = new Map(wrt.map((name) => [name, ops.fresh(`${name}_grad`)]));
  for (const [name, output] of gradients) rename(known, output, gradientOf(name));
  const emitted = ops.emitted();
  const named = [...gradients].map(([name, output]) => identityNode(gradientOf(name), output));
  const describe = (name: string): ValueInfo => ({
    name,
    type: known.get(name)?.type ?? null,
    shape: known.get(name)?.shape ?? null,
    otherFields: [],
  });
  const whole: Graph = {
    ...graph,
    nodes: [...graph.nodes.map((node) => requests.get(node) ?? node), ...emitted.nodes, ...named],
    // Initializers that are listed as inputs too would be no constants, which the runtime cannot
    // fold.
    inputs: [...dataInputs(graph), cotangent],
    outputs: [...outputs, ...gradients.values()].map(describe),
    initializers: new Map([...graph.initializers, ...emitted.initializers]),
    opset: emitted.opset,
  };
  return { graph: prune(whole), cotangent: cotangent.name, gradients };
}

function lookupIn(rules: RuleTable | RuleLookup): RuleLookup {
  const own: RuleLookup =
    typeof rules === 'function'
      ? rules
      : (node) => (Object.hasOwn(rules, operatorKey(node)) ? rules[operatorKey(node)] : undefined);
  return (node) => own(node) ?? gradientRules[operatorKey(node)];
}

function checkNames(graph: Graph, names: readonly string[]): void {
  const tensors = new Set([
    ...graph.inputs.map((input) => input.name),
    ...producersOf(graph).keys(),
    ...graph.initializers.keys(),
  ]);
  for (const name of names) {
    if (!tensors.has(name))
      throw new FoveaError(
        'model',
        `the model has no tensor "${name}".${nearestNames(name, tensors)}`,
      );
  }
}

function declare(
  known: Map<string, TensorInfo>,
  name: string,
  of: TensorInfo | undefined,
): ValueInfo {
  const type = gradientType(of?.type ?? null);
  known.set(name, { type, shape: of?.shape ?? null, value: null });
  return { name, type, shape: of?.shape ?? null, otherFields: [] };
}

function rename(known: Map<string, TensorInfo>, to: string, from: string): void {
  const info = known.get(from);
  if (info) known.set(to, info);
}

function identityNode(from: string, to: string): Node {
  return {
    name: to,
    opType: 'Identity',
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: new Map(),
    otherFields: [],
  };
}

/**
 * A gradient has the shape of its tensor, and float32 for half precision: anything else is an error
 * of a rule.
 */
function checkGradient(
  known: ReadonlyMap<string, TensorInfo>,
  node: Node,
  tensor: string,
  gradient: string,
): void {
  const [own, got] = [known.get(tensor), known.get(gradient)];
  const wanted: DataType = gradientType(own?.type ?? null);
  const shapes = [own?.shape ?? null, got?.shape ?? null];
  const differs = shapes[0]?.some(
    (dim, axis) =>
      typeof dim === 'number' && typeof shapes[1]?.[axis] === 'number' && dim !== shapes[1][axis],
  );
  const ranks = shapes[0] !== null && shapes[1] !== null && shapes[0].length !== shapes[1].length;
  if (differs || ranks || (got?.type != null && isFloat(got.type) && got.type !== wanted)) {
    const text = `${got?.type}[${shapes[1]}] for "${tensor}", which is ${own?.type}[${shapes[0]}]`;
    throw new FoveaError(
      'model',
      `the gradient of ${nameOf(node)} is ${text}: its attributes and the sizes that the file declares contradict each other`,
    );
  }
}
