import type { Graph, Node } from '../../onnx/index.ts';
import { type GraphView, nodeOf, otherInput, viewOf } from './pattern.ts';
import { prune } from './prune.ts';
import { hasAny, TRIGGERS } from './triggers.ts';

const near = (value: number | undefined, wanted: number): boolean =>
  value !== undefined && Math.abs(value - wanted) < 1e-3;

/** The tensor x if the argument of Erf is x / √2; undefined otherwise. */
function argument(erf: Node, view: GraphView): string | undefined {
  const [input = ''] = erf.inputs;
  const [x, divisor = ''] = view.producer(input, 'Div')?.inputs ?? [];
  if (x !== undefined && near(view.number(divisor), Math.SQRT2)) return x;
  const mul = view.producer(input, 'Mul');
  const factor = mul?.inputs.find((name) => near(view.number(name), Math.SQRT1_2));
  return mul && factor !== undefined ? otherInput(mul, factor) : undefined;
}

/** Whether a tensor is x / 2. */
function isHalf(tensor: string, x: string, view: GraphView): boolean {
  const mul = view.producer(tensor, 'Mul');
  if (mul?.inputs.includes(x)) return near(view.number(otherInput(mul, x)), 0.5);
  const [whole, divisor = ''] = view.producer(tensor, 'Div')?.inputs ?? [];
  return whole === x && near(view.number(divisor), 2);
}

/** The last node of x · (1 + erf(x / √2)) / 2, with the three factors in any order. */
function lastNode(erf: Node, x: string, view: GraphView): Node | undefined {
  const [curve = ''] = erf.outputs;
  const add = view.onlyReader(curve, 'Add');
  if (!add || !near(view.number(otherInput(add, curve)), 1)) return undefined;
  const [sum = ''] = add.outputs;
  const first = view.onlyReader(sum, 'Mul');
  if (!first) return undefined;
  const factor = otherInput(first, sum);
  if (isHalf(factor, x, view)) return first;
  const [product = ''] = first.outputs;
  const second = view.onlyReader(product, 'Mul');
  const rest = second && otherInput(second, product);
  if (rest === undefined) return undefined;
  const complete =
    (factor === x && near(view.number(rest), 0.5)) ||
    (rest === x && near(view.number(factor), 0.5));
  return complete ? second : undefined;
}

/** Replaces the nodes of x · (1 + erf(x / √2)) / 2 by one Gelu node. Tensors in `keep` stay. */
export function rebuildGelu(graph: Graph, keep: ReadonlySet<string>): Graph {
  if (!hasAny(graph, TRIGGERS.gelu)) return graph;
  const view = viewOf(graph, keep);
  const domain = (graph.opset.get('') ?? 1) >= 20 ? '' : 'com.microsoft';
  const replaced = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const x = node.opType === 'Erf' ? argument(node, view) : undefined;
    const last = x === undefined ? undefined : lastNode(node, x, view);
    if (x !== undefined && last) replaced.set(last, nodeOf('Gelu', [x], last.outputs, {}, domain));
  }
  if (replaced.size === 0) return graph;
  const opset = new Map(graph.opset);
  if (!opset.has(domain)) opset.set(domain, 1);
  return prune({ ...graph, opset, nodes: graph.nodes.map((node) => replaced.get(node) ?? node) });
}
