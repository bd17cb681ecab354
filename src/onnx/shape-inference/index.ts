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

/** Every operator with a shape rule, as `OpType` or `domain:OpType`. */
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

/** By name: an operator or a tensor may be called like a member of every object, `toString`. */
const rules = new Map(Object.entries(table));

/** What inference may be told. */
export interface InferenceOptions {
  /**
   * Shapes of graph inputs that are to replace the declared ones, to see the graph at a fixed size.
   */
  readonly inputs?: Readonly<Record<string, Shape>>;
}

type Known = Map<string, TensorInfo>;

/**
 * Every operator that inference knows, as `OpType` or `domain:OpType`; what an operator of a graph
 * is called there.
 */
export const inferredOperators: readonly string[] = [...rules.keys(), 'If'];

/**
 * The type and shape of every tensor of a graph, as far as they can be told without running it.
 * Symbolic dimensions pass through (`batch`, `64*batch`); an input's dimension without a name is
 * called after the input and its axis (`x:0`). An operator without a rule gives unknown types and
 * shapes, unless the file declares them.
 */
export function inferShapes(graph: Graph, options: InferenceOptions = {}): Map<string, TensorType> {
  return new Map(
    [...inferTensors(graph, options)].map(([name, { type, shape }]) => [name, { type, shape }]),
  );
}

/**
 * The same, with the elements of the small tensors that exporters compute shapes with, where they
 * are known.
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
 * Infers the outputs of one node from what is known of its inputs, for graphs that are under
 * construction.
 * @throws FoveaError `model` if the inputs and attributes of the node do not fit each other.
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
    // A rule assumes a well-formed node; a file may hold another one.
    if (error instanceof FoveaError && error.code !== 'internal') throw error;
    throw new FoveaError(
      'model',
      `the ${node.opType} node "${node.name || node.outputs[0]}" is broken: ` +
        'its inputs and attributes do not fit each other',
      { cause: error },
    );
  }
}

/** The branch that a known condition takes; otherwise what both branches agree on. */
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

/** What was inferred, with the gaps filled from what the file declares. */
function refine(inferred: TensorInfo, declared: TensorType | undefined): TensorInfo {
  if (declared === undefined) return inferred;
  const type = inferred.type ?? declared.type;
  const { shape } = inferred;
  if (shape === null) return tensorInfo(type, declared.shape);
  if (declared.shape?.length !== shape.length) return { ...inferred, type };
  const dims = shape.map((dim, axis) => dim ?? declared.shape?.[axis] ?? null);
  return { type, shape: dims, value: inferred.value };
}
