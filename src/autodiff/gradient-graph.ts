import { FoveaError } from '../errors.ts';
import { nearestNames } from '../near-names.ts';
import {
  type DataType,
  dataInputs,
  type Graph,
  inferTensors,
  isFloat,
  type Node,
  operatorKey,
  opsetOf,
  producersOf,
  type Shape,
  type TensorInfo,
  type ValueInfo,
} from '../onnx/index.ts';
import { at } from '../tensor/at.ts';
import { checkAttributes, checkOpset, checkTensors, guarded, nameOf } from './guard.ts';
import { differentiableInputs, markPath, type RuleLookup } from './mark-path.ts';
import { createOps, type Ops } from './ops.ts';
import { prune } from './passes/prune.ts';
import type { RuleEntry, RuleTable } from './rule.ts';
import { createRuleContext, gradientType, type OutputRequests } from './rule-context.ts';
import { unbroadcast } from './unbroadcast.ts';

/** What to differentiate. */
export interface GradientOptions {
  /** The tensor to differentiate. Its cotangent becomes a graph input. */
  readonly of: string;
  /**
   * The tensors with respect to which `of` is differentiated: any inputs or inner tensors, such as
   * feature maps or attention maps.
   */
  readonly wrt: readonly string[];
  /** Tensors of the forward pass that become outputs too. By default none. */
  readonly outputs?: readonly string[];
  /**
   * Entries that replace those of the table, by operator or chosen for each node, for example for
   * guided backpropagation or LRP. By default none.
   */
  readonly rules?: RuleTable | RuleLookup;
  /** Shapes of graph inputs that replace the declared shapes. */
  readonly inputShapes?: Readonly<Record<string, Shape>>;
}

/** A graph with a forward and a backward pass. */
export interface GradientGraph {
  /**
   * The graph. Its inputs are those of the forward graph, then the cotangent. Its outputs are
   * `outputs`, then the gradients.
   */
  readonly graph: Graph;
  /**
   * The input that takes the cotangent of `of`. It has the shape of `of`, and its elements are the
   * weights of the elements of `of` in the sum that is differentiated. It is float32 if `of` has
   * half precision.
   */
  readonly cotangent: string;
  /** For each tensor of `wrt`, the name of the output with its gradient. */
  readonly gradients: ReadonlyMap<string, string>;
}

/** Computes `gradientGraph` with the gradient rules of operators in `table`. */
export function differentiate(
  graph: Graph,
  { of, wrt, outputs = [], rules = {}, inputShapes = {} }: GradientOptions,
  table: RuleTable,
): GradientGraph {
  checkNames(graph, [of, ...wrt, ...outputs]);
  checkOpset(graph);
  const known = inferTensors(graph, { inputs: inputShapes });
  const lookup = lookupIn(rules, table);
  const path = markPath(graph, known, of, wrt, lookup);
  const ops = createOps(graph, known);
  const cotangent = declare(known, ops.fresh(`${of}_grad`), known.get(of));
  const requests: OutputRequests = new Map();
  const totals = createTotals(ops, of, cotangent.name);
  const walk: Walk = { graph, known, ops, requests, needed: path.tensors, totals };
  for (const node of path.nodes.toReversed()) {
    const entry = lookup(node);
    const dy = node.outputs.map((name) => (name === '' ? '' : totals.of(name)));
    if (entry?.kind === 'rule' && dy.some((gradient) => gradient !== ''))
      propagate(walk, node, entry, dy);
  }
  const gradients = new Map(wrt.map((name) => [name, ops.fresh(`${name}_grad`)]));
  for (const [name, output] of gradients) rename(known, output, totals.of(name));
  const emitted = ops.emitted();
  const named = [...gradients].map(([name, output]) => identityNode(totals.of(name), output));
  const whole: Graph = {
    ...graph,
    nodes: [...graph.nodes.map((node) => requests.get(node) ?? node), ...emitted.nodes, ...named],
    // `dataInputs` omits initializers: a runtime does not fold an initializer that is also an
    // input.
    inputs: [...dataInputs(graph), cotangent],
    outputs: [...outputs, ...gradients.values()].map((name) => describe(known, name)),
    initializers: new Map([...graph.initializers, ...emitted.initializers]),
    opset: emitted.opset,
  };
  return { graph: prune(whole), cotangent: cotangent.name, gradients };
}

/** The gradient of each tensor: the sum of the contributions of its consumers. */
interface Totals {
  /** The gradient of a tensor; '' if nothing contributes to it. */
  of(tensor: string): string;
  add(tensor: string, gradient: string): void;
}

function createTotals(ops: Ops, of: string, cotangent: string): Totals {
  const contributions = new Map<string, readonly string[]>([[of, [cotangent]]]);
  return {
    of(tensor) {
      const parts = contributions.get(tensor) ?? [];
      if (parts.length === 0) return '';
      const total = parts.reduce((sum, part) => ops.add(sum, part));
      contributions.set(tensor, [total]);
      return total;
    },
    add(tensor, gradient) {
      contributions.set(tensor, [...(contributions.get(tensor) ?? []), gradient]);
    },
  };
}

/** State of the walk from the outputs to the inputs. */
interface Walk {
  readonly graph: Graph;
  readonly known: Map<string, TensorInfo>;
  readonly ops: ReturnType<typeof createOps>;
  readonly requests: OutputRequests;
  readonly needed: ReadonlySet<string>;
  readonly totals: Totals;
}

/** Applies the rule of a node and adds the results to the gradients of its inputs. */
function propagate(
  { totals, ...walk }: Walk,
  node: Node,
  entry: Extract<RuleEntry, { kind: 'rule' }>,
  dy: readonly string[],
): void {
  const { graph, known, ops } = walk;
  const context = createRuleContext({ ...walk, node, opset: opsetOf(graph, node), entry });
  checkTensors(known, node);
  checkAttributes(known, node);
  const [first = '', ...others] = dy;
  if (!entry.allOutputs && others.some((gradient) => gradient !== ''))
    context.refuse('a model that uses only its first output');
  const results = guarded(node, () => entry.rule(context, [first, ...others]));
  for (const index of differentiableInputs(node, entry)) {
    const gradient = results[index] ?? '';
    if (gradient === '' || !context.needs(index)) continue;
    const tensor = at(node.inputs, index);
    const summed = guarded(node, () =>
      unbroadcast(ops, gradient, tensor, () => context.input(index)),
    );
    checkGradient(known, node, tensor, summed);
    totals.add(tensor, summed);
  }
}

function describe(known: ReadonlyMap<string, TensorInfo>, name: string): ValueInfo {
  const { type, shape } = known.get(name) ?? { type: null, shape: null };
  return { name, type, shape, otherFields: [] };
}

function lookupIn(rules: RuleTable | RuleLookup, table: RuleTable): RuleLookup {
  const own: RuleLookup =
    typeof rules === 'function'
      ? rules
      : (node) => (Object.hasOwn(rules, operatorKey(node)) ? rules[operatorKey(node)] : undefined);
  return (node) => own(node) ?? table[operatorKey(node)];
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
 * Checks that a gradient has the shape and the element type of its tensor. For half precision the
 * element type must be float32.
 * @throws FoveaError `model`, naming the node.
 */
function checkGradient(
  known: ReadonlyMap<string, TensorInfo>,
  node: Node,
  tensor: string,
  gradient: string,
): void {
  const [own, got] = [known.get(tensor), known.get(gradient)];
  const wanted: DataType = gradientType(own?.type ?? null);
  const [shape, gotShape] = [own?.shape ?? null, got?.shape ?? null];
  const differs = shape?.some((dim, axis) => {
    const size = gotShape?.[axis];
    return typeof dim === 'number' && typeof size === 'number' && dim !== size;
  });
  const ranks = shape !== null && gotShape !== null && shape.length !== gotShape.length;
  if (differs || ranks || (got?.type != null && isFloat(got.type) && got.type !== wanted)) {
    const text = `${got?.type}[${gotShape}] for "${tensor}", which is ${own?.type}[${shape}]`;
    throw new FoveaError(
      'model',
      `the gradient of ${nameOf(node)} is ${text}: ` +
        'its attributes and the sizes that the file declares contradict each other',
    );
  }
}
