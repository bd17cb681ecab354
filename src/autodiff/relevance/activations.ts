import {
  consumersOf,
  elementCount,
  floatAttribute,
  type Graph,
  type Node,
  operatorKey,
  tensorNumbers,
  topologicalSort,
} from '../../onnx/index.ts';
import { anything, functions, type Interval, operations, point } from './intervals.ts';

/**
 * A tensor as an elementwise function f of one earlier tensor, the root. Exporters write
 * activations as several operators: x · min(max(x + 3, 0), 6) / 6 is a HardSwish.
 */
interface Element {
  /**
   * The tensor of which this tensor is a function. It is the tensor itself if no earlier tensor is
   * found.
   */
  readonly root: string;
  /** The values of f(x) for any x, and the values of f(0). */
  readonly range: Interval;
  readonly atZero: Interval;
}

/** Queries about the activations that a graph computes with several operators. */
export interface Activations {
  /**
   * For a node inside an activation, the position of the operand that gets all of its relevance.
   * Undefined for all other nodes.
   */
  routeOf(node: Node): number | undefined;
  /**
   * Whether a tensor is a gate. The values of a gate are between 0 and a largest value, and the
   * value for an input of 0 is strictly between them. So HardSigmoid, min(max(x + 3, 0), 6), is a
   * gate, and ReLU6 is not a gate.
   */
  isGate(tensor: string): boolean;
  /**
   * Whether a Relu or a Clip is only a part of another activation. It is one if its input is
   * already a function of the same root, or if its output is combined with another function of the
   * same root.
   */
  isPiece(node: Node): boolean;
}

/** Elementwise operators that are not linear. */
const bending = new Set(
  `Relu Clip LeakyRelu PRelu Elu Selu Celu ThresholdedRelu Shrink Sigmoid HardSigmoid HardSwish
  Swish Mish Softplus Softsign Tanh Gelu Abs Sqrt Exp Log Reciprocal Erf Pow Max Min Where Floor
  Ceil Round Sign com.microsoft:Gelu com.microsoft:QuickGelu com.microsoft:FastGelu`.split(/\s+/),
);
const linear = new Set(['Add', 'Sub', 'Mul', 'Div', 'Neg', 'Identity', 'Dropout', 'Cast', 'Sum']);
const comparing = new Set(
  'Equal Less LessOrEqual Greater GreaterOrEqual And Or Not IsNaN IsInf'.split(' '),
);

/**
 * Operators with several operands, for which `routeOf` chooses one. The others have their own rule.
 */
const joining = new Set(['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Where', 'Pow', 'Sum']);

/** Operators whose output is a gate per element, or a row of gates whose sum is 1. */
const gates = new Set(['Sigmoid', 'HardSigmoid', 'Softmax']);
/** Operators that only move or round elements. */
const movers = new Set(
  `Identity Dropout Cast Reshape Flatten Squeeze Unsqueeze Expand Transpose Slice Split Gather Tile
  QuantizeLinear DequantizeLinear com.microsoft:QuantizeLinear
  com.microsoft:DequantizeLinear`.split(/\s+/),
);

/** The tensors of a graph as elementwise functions of earlier tensors. */
interface Functions {
  readonly elements: ReadonlyMap<string, Element>;
  /** The node that computes each tensor. */
  readonly makers: ReadonlyMap<string, Node>;
  /** Roots of functions that are not linear, or in which several paths are combined. */
  readonly bent: ReadonlySet<string>;
  /** The function that computes a tensor. It is the identity if no function is known. */
  elementOf(tensor: string): Element;
}

/** Finds the elementwise functions of a graph. */
function functionsOf(graph: Graph, varying: ReadonlySet<string>): Functions {
  const elements = new Map<string, Element>();
  const makers = new Map<string, Node>();
  const bent = new Set<string>();
  const numberOf = numberReader(graph);
  const elementOf = (tensor: string): Element =>
    elements.get(tensor) ?? { root: tensor, range: anything, atZero: point(0) };
  for (const node of topologicalSort(graph.nodes)) {
    for (const name of node.outputs) if (name !== '') makers.set(name, node);
    const [output = ''] = node.outputs;
    const key = operatorKey(node);
    if (!(bending.has(key) || linear.has(key) || comparing.has(key))) continue;
    const signals = node.inputs.filter((name) => varying.has(name));
    const roots = new Set(signals.map((name) => elementOf(name).root));
    const [root] = roots;
    const isPlain = node.inputs.every(
      (name) => name === '' || varying.has(name) || numberOf(name) !== undefined,
    );
    if (root === undefined || roots.size > 1 || !isPlain) continue;
    const values = (part: 'range' | 'atZero'): Interval =>
      intervalOf(node, (name) => {
        const number = numberOf(name);
        return varying.has(name) || number === undefined ? elementOf(name)[part] : point(number);
      });
    elements.set(output, { root, range: values('range'), atZero: values('atZero') });
    if (bending.has(key) || signals.length > 1) bent.add(root);
  }
  return { elements, makers, bent, elementOf };
}

/** Whether a tensor is a gate, possibly moved by operators that only move elements. */
function opensGate({ elements, makers }: Functions, tensor: string): boolean {
  let name = tensor;
  for (let maker = makers.get(name); maker; maker = makers.get(name)) {
    if (gates.has(maker.opType)) return true;
    if (!movers.has(operatorKey(maker))) break;
    name = maker.inputs[0] ?? '';
  }
  const element = elements.get(name);
  if (element === undefined) return false;
  const { range, atZero } = element;
  return (
    range.low >= 0 &&
    range.high < Number.POSITIVE_INFINITY &&
    atZero.low > range.low &&
    atZero.high < range.high
  );
}

/**
 * Finds the activations of a graph. `varying` are the tensors that depend on the inputs of the
 * graph.
 */
export function findActivations(graph: Graph, varying: ReadonlySet<string>): Activations {
  const found = functionsOf(graph, varying);
  const { elements, makers, bent, elementOf } = found;
  /** Whether relevance can flow from a tensor back to the root. It cannot pass a comparison. */
  const leadsBack = (tensor: string): boolean => {
    const key = operatorKey(makers.get(tensor) ?? { domain: '', opType: '' });
    return varying.has(tensor) && !comparing.has(key);
  };
  const readers = consumersOf(graph);
  return {
    isGate: (tensor) => opensGate(found, tensor),
    isPiece(node) {
      const [input = ''] = node.inputs;
      const [output = ''] = node.outputs;
      const { root } = elementOf(output);
      if (root !== output && elementOf(input).root !== input && !isCarried(makers.get(input)))
        return true;
      return (readers.get(output) ?? []).some(
        (reader) =>
          elementOf(reader.outputs[0] ?? '').root === root &&
          reader.inputs.filter((name) => varying.has(name)).length > 1,
      );
    },
    routeOf(node) {
      const [output = ''] = node.outputs;
      const element = elements.get(output);
      if (element === undefined || !bent.has(element.root) || !joining.has(operatorKey(node)))
        return undefined;
      const from = node.opType === 'Where' ? 1 : 0;
      const routes = node.inputs.flatMap((name, i) => (i >= from && leadsBack(name) ? [i] : []));
      return routes.find((i) => node.inputs[i] === element.root) ?? routes[0];
    },
  };
}

/** Whether a node returns its input unchanged. */
const isCarried = (node: Node | undefined): boolean =>
  node !== undefined && ['Identity', 'Dropout', 'Cast'].includes(node.opType);

/**
 * Returns a function that reads constants with one element, and returns undefined for other
 * tensors.
 */
function numberReader(graph: Graph): (name: string) => number | undefined {
  const known = new Map<string, number | undefined>();
  return (name) => {
    if (known.has(name)) return known.get(name);
    const initializer = graph.initializers.get(name);
    const isOne = initializer !== undefined && elementCount(initializer) === 1;
    const number =
      isOne && initializer.data.kind !== 'external' ? tensorNumbers(initializer)[0] : undefined;
    known.set(name, number);
    return number;
  };
}

/** The interval of the output of a node, computed from the intervals of its operands. */
function intervalOf(node: Node, of: (name: string) => Interval): Interval {
  const [a, ...others] = node.inputs.filter((name) => name !== '').map(of);
  if (a === undefined) return anything;
  if (node.opType === 'HardSigmoid') {
    const [alpha, beta] = [floatAttribute(node, 'alpha', 0.2), floatAttribute(node, 'beta', 0.5)];
    const [x, y] = [a.low * alpha + beta, a.high * alpha + beta];
    return clipped({ low: Math.min(x, y), high: Math.max(x, y) }, point(0), point(1));
  }
  if (node.opType === 'Clip') {
    const low = floatAttribute(node, 'min', Number.NEGATIVE_INFINITY);
    const high = floatAttribute(node, 'max', Number.POSITIVE_INFINITY);
    const [, min = '', max = ''] = node.inputs;
    return clipped(a, min === '' ? point(low) : of(min), max === '' ? point(high) : of(max));
  }
  const unary = functions.get(node.opType);
  if (unary) return unary(a);
  const binary = operations.get(node.opType);
  return binary ? others.reduce(binary, a) : anything;
}

function clipped(x: Interval, min: Interval, max: Interval): Interval {
  const cut = (value: number): number => Math.min(Math.max(value, min.low), max.high);
  return { low: cut(x.low), high: cut(x.high) };
}
