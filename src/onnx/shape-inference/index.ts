import { FoveaError } from '../../errors.ts';
import { type Graph, type Node, opsetOf, type Shape, type TensorType } from '../graph.ts';
import { operatorKey } from '../operators.ts';
import { activation } from './activation.ts';
import { constants, initializerInfo } from './constant.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { indexing } from './indexing.ts';
import { linalg } from './linalg.ts';
import { movement } from './movement.ts';
import { normalization } from './normalization.ts';
import { pooling } from './pooling.ts';
import { reduction } from './reduction.ts';
import { type RuleTable, type TensorInfo, tensorInfo, unknown } from './rule.ts';

/** The shape rules of all operators, by `OpType` or `domain:OpType`. */
const table: RuleTable = {
  ...elementwise,
  ...activation,
  ...convolution,
  ...pooling,
  ...linalg,
  ...normalization,
  ...reduction,
  ...movement,
  ...indexing,
  ...constants,
};

/**
 * The rules by name. This is a Map, because an operator may be called like a member of Object, such
 * as `toString`.
 */
const rules = new Map(Object.entries(table));

/** Options of shape inference. */
export interface InferenceOptions {
  /**
   * Shapes of graph inputs that replace the declared shapes, for example to infer shapes at a fixed
   * size.
   */
  readonly inputs?: Readonly<Record<string, Shape>>;
}

type Known = Map<string, TensorInfo>;

/** All operators that shape inference supports, as `OpType` or `domain:OpType`. */
export const inferredOperators: readonly string[] = [...rules.keys(), 'If'];

/**
 * The type and shape of every tensor of a graph, by name, as far as they can be found without
 * running the graph. Symbolic dimensions are kept (`batch`, `64*batch`). An unnamed dimension of an
 * input is named after the input and its axis (`x:0`). The outputs of an operator without a rule
 * have unknown types and shapes, unless the file declares them.
 * @throws FoveaError `model` if the inputs and attributes of a node do not match.
 */
export function inferShapes(graph: Graph, options: InferenceOptions = {}): Map<string, TensorType> {
  return new Map(
    [...inferTensors(graph, options)].map(([name, { type, shape }]) => [name, { type, shape }]),
  );
}

/**
 * Like `inferShapes`, but also with the values of small tensors, which exporters use to compute
 * shapes, if they can be found.
 */
export function inferTensors(
  graph: Graph,
  options: InferenceOptions = {},
): Map<string, TensorInfo> {
  const known: Known = new Map();
  inferInto(known, graph, options.inputs ?? {});
  return known;
}

function inferInto(known: Known, graph: Graph, inputShapes: Readonly<Record<string, Shape>>): void {
  for (const { name, type, shape } of graph.inputs) {
    const given = Object.hasOwn(inputShapes, name) ? inputShapes[name] : shape;
    known.set(name, tensorInfo(type, given?.map((dim, axis) => dim ?? `${name}:${axis}`) ?? null));
  }
  for (const [name, tensor] of graph.initializers) known.set(name, initializerInfo(tensor));
  for (const [name, { values }] of graph.sparseInitializers)
    known.set(name, tensorInfo(values.type, null));
  const declared = new Map<string, TensorType>(graph.valueInfo);
  for (const output of graph.outputs) declared.set(output.name, output);
  for (const node of graph.nodes) {
    const results = inferNode(known, graph, node);
    for (const [i, output] of node.outputs.entries()) {
      if (output !== '') known.set(output, refine(results[i] ?? unknown, declared.get(output)));
    }
  }
}

/**
 * Infers the types and shapes of the outputs of one node from those of its inputs, for graphs that
 * are being built. Returns an empty list if the operator has no rule.
 * @throws FoveaError `model` if the inputs and attributes of the node do not match.
 */
export function inferNode(
  known: Known,
  graph: Pick<Graph, 'opset'>,
  node: Node,
): readonly TensorInfo[] {
  if (node.opType === 'If' && node.domain === '') return inferIf(known, node);
  const rule = rules.get(operatorKey(node));
  if (rule === undefined) return [];
  const inputs = node.inputs.map((name) => known.get(name) ?? unknown);
  try {
    return rule({ node, opset: opsetOf(graph, node), inputs });
  } catch (error) {
    // Rules assume a well-formed node, but a file may contain a broken one.
    if (error instanceof FoveaError && error.code !== 'internal') throw error;
    throw new FoveaError(
      'model',
      `the ${node.opType} node "${node.name || node.outputs[0]}" is broken: ` +
        'its inputs and attributes do not match',
      { cause: error },
    );
  }
}

/**
 * The outputs of the branch that is taken, if the condition is known. Otherwise the types and
 * dimensions that both branches have in common.
 */
function inferIf(known: Known, node: Node): readonly TensorInfo[] {
  const condition = known.get(node.inputs[0] ?? '')?.value?.[0] ?? null;
  const infer = (name: string): readonly TensorInfo[] => {
    const branch = node.attributes.get(name);
    if (branch?.type !== 'graph') return [];
    const inner: Known = new Map(known);
    inferInto(inner, branch.value, {});
    return branch.value.outputs.map((output) => inner.get(output.name) ?? unknown);
  };
  if (condition !== null) return infer(condition === 0 ? 'else_branch' : 'then_branch');
  const otherwise = infer('else_branch');
  return infer('then_branch').map((info, i) => common(info, otherwise[i] ?? unknown));
}

function common(a: TensorInfo, b: TensorInfo): TensorInfo {
  const { shape } = b;
  const sameRank = a.shape !== null && shape !== null && a.shape.length === shape.length;
  const dims = sameRank
    ? (a.shape ?? []).map((dim, axis) => (dim === shape[axis] ? dim : null))
    : null;
  return tensorInfo(a.type === b.type ? a.type : null, dims);
}

/** The inferred type and shape. Unknown parts are taken from the declaration in the file. */
function refine(inferred: TensorInfo, declared: TensorType | undefined): TensorInfo {
  if (declared === undefined) return inferred;
  const type = inferred.type ?? declared.type;
  const { shape } = inferred;
  if (shape === null) return tensorInfo(type, declared.shape);
  if (declared.shape?.length !== shape.length) return { ...inferred, type };
  const dims = shape.map((dim, axis) => dim ?? declared.shape?.[axis] ?? null);
  return { type, shape: dims, value: inferred.value };
}
