import {
  dataInputs,
  type Graph,
  type Node,
  nodeInputs,
  operatorKey,
  topologicalSort,
} from '../../onnx/index.ts';
import type { Ops } from '../ops.ts';
import type { RuleContext } from '../rule.ts';
import { gradientRules } from '../rules/index.ts';

/** The tensors of a graph that depend on its inputs. All others are constants. */
export function varyingTensors(graph: Graph): ReadonlySet<string> {
  const varying = new Set(dataInputs(graph).map((input) => input.name));
  for (const node of topologicalSort(graph.nodes)) {
    if (nodeInputs(node).some((name) => varying.has(name)))
      for (const name of node.outputs) varying.add(name);
  }
  return varying;
}

/** Whether input `index` of a node is one of `tensors`. */
export function reads(node: Node, index: number, tensors: ReadonlySet<string>): boolean {
  const name = node.inputs[index];
  return name !== undefined && tensors.has(name);
}

/**
 * The gradient of an operator by one of its inputs, with `inputs` in place of some of its own
 * inputs. `output` is the first output for these inputs. If `output` is missing, or if the rule
 * needs another output (such as the indices of a MaxPool), the operator is computed again.
 */
export function gradientAt(
  at: RuleContext,
  index: number,
  dy: string,
  inputs: Readonly<Record<number, string>>,
  output?: string,
): string {
  const entry = gradientRules[operatorKey(at.node)];
  if (entry?.kind !== 'rule') return at.refuse('an operator with a gradient');
  const isAltered = Object.keys(inputs).length > 0;
  const input = (i: number): string => inputs[i] ?? at.input(i);
  const outputs = new Map(output === undefined ? [] : [[0, output]]);
  const altered: RuleContext = {
    ...at,
    input,
    output: (i) => {
      const found = outputs.get(i) ?? (isAltered ? recomputed(at, input, i) : at.output(i));
      outputs.set(i, found);
      return found;
    },
    needs: (i) => i === index,
  };
  return entry.rule(altered, [dy])[index] ?? '';
}

/** Output `index` of the operator of a node, computed from other inputs. */
function recomputed(at: RuleContext, input: (i: number) => string, index: number): string {
  const { opType, domain, inputs, attributes } = at.node;
  const given = inputs.map((name, i) => (name === '' ? '' : input(i)));
  const outputs = at.ops.ops(opType, given, Object.fromEntries(attributes), index + 1, domain);
  return outputs[index] ?? at.refuse(`output ${index} of the operator`);
}

/** The first output of the operator of a node, computed from other inputs. */
export function applied(at: RuleContext, inputs: readonly string[]): string {
  return at.ops.op(at.node.opType, inputs, Object.fromEntries(at.node.attributes), at.node.domain);
}

/** A linear layer z = x w + b: a convolution, a Gemm, or a product with a constant matrix. */
export interface LinearLayer {
  readonly x: string;
  readonly w: string;
  /** The bias; '' if there is none. */
  readonly b: string;
  /** The position of x among the inputs. */
  readonly index: number;
  /** x w, plus b if it is given. */
  forward(x: string, w: string, b?: string): string;
  /** s wᵀ */
  backward(s: string, w: string): string;
}

/** Describes a node as a linear layer. `weights` is the position of its constant operand. */
export function linearLayer(at: RuleContext, weights: 0 | 1): LinearLayer {
  const index = 1 - weights;
  const place = (x: string, w: string): string[] => (weights === 1 ? [x, w] : [w, x]);
  const [x, w] = [at.input(index), at.input(weights)];
  const zero = (): string => at.ops.constant([0], [1], 'float32');
  return {
    x,
    w,
    b: at.has(2) ? at.input(2) : '',
    index,
    forward: (values, by, b = '') =>
      applied(at, [
        ...place(values, by),
        ...(b !== '' ? [b] : at.node.opType === 'Gemm' && at.ops.opset < 11 ? [zero()] : []),
      ]),
    backward: (s, by) => gradientAt(at, index, s, { [weights]: by }),
  };
}

/** max(x, 0) */
export const positivePart = (ops: Ops, x: string): string => ops.op('Relu', [x]);
/** min(x, 0) */
export const negativePart = (ops: Ops, x: string): string => ops.sub(x, positivePart(ops, x));

/** r / (z + ε sign z), where the sign of 0 is 1. */
export function share(ops: Ops, r: string, z: string, epsilon: number): string {
  const sign = ops.sub(ops.scalar(1, z), ops.scale(ops.below(z), 2));
  return ops.div(r, ops.add(z, ops.scale(sign, epsilon)));
}
