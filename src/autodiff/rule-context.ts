import { FoveaError } from '../errors.ts';
import {
  type DataType,
  elementCount,
  type Graph,
  inferNode,
  type Node,
  type TensorInfo,
  tensorNumbers,
} from '../onnx/index.ts';
import { nameOf } from './guard.ts';
import type { Ops } from './ops.ts';
import type { RuleContext, RuleEntry } from './rule.ts';

/** For each node of the forward pass that needs more outputs, the node with these outputs. */
export type OutputRequests = Map<Node, Node>;

/** The element type of a tensor's gradient: float64 if the tensor is float64, else float32. */
export function gradientType(type: DataType | null): DataType {
  return type === 'float64' ? 'float64' : 'float32';
}

/** Constants with more elements are not read. */
const largestRead = 65536;

interface Parts {
  readonly graph: Graph;
  readonly known: Map<string, TensorInfo>;
  readonly ops: Ops & { fresh(wish: string): string };
  readonly node: Node;
  readonly opset: number;
  readonly requests: OutputRequests;
  /** The tensors that get a gradient. */
  readonly needed: ReadonlySet<string>;
  readonly entry: RuleEntry;
}

/** Creates the context in which the gradient rule of a node runs. */
export function createRuleContext({
  graph,
  known,
  ops,
  node,
  opset,
  requests,
  needed,
  entry,
}: Parts): RuleContext {
  const stop = entry.kind === 'rule' ? entry.stop : [];
  /**
   * Casts half-precision tensors to float32, because all gradients are computed in float32 or
   * float64.
   */
  const widened = (name: string): string => {
    const { type } = ops.info(name);
    return type === 'float16' || type === 'bfloat16' ? ops.cast(name, 'float32') : name;
  };
  const title = nameOf(node);
  const nameAt = (index: number): string => {
    const tensor = node.inputs[index] ?? '';
    if (tensor === '') throw new FoveaError('model', `${title} lacks its input ${index}`);
    return tensor;
  };
  return {
    node,
    opset,
    ops,
    needs: (index) => !stop.includes(index) && needed.has(node.inputs[index] ?? ''),
    has: (index) => (node.inputs[index] ?? '') !== '',
    name: nameAt,
    input: (index) => widened(nameAt(index)),
    output(index) {
      const present = (requests.get(node) ?? node).outputs;
      const given = present[index] ?? '';
      if (given !== '') return widened(given);
      const outputs = Array.from(
        { length: Math.max(index + 1, present.length) },
        (_, i) => present[i] ?? '',
      );
      const name = ops.fresh(`${node.outputs[0]}_${index}`);
      outputs[index] = name;
      const asked = { ...node, outputs };
      requests.set(node, asked);
      const info = inferNode(known, graph, asked)[index];
      known.set(name, info ?? { type: null, shape: null, value: null });
      return name;
    },
    shape(index) {
      const input = nameAt(index);
      const { shape } = ops.info(input);
      if (shape === null)
        throw new FoveaError(
          'unsupported',
          `the gradient of ${title} needs the shape of "${input}", which is not known`,
        );
      return shape;
    },
    numbers(index) {
      const { value } = ops.info(node.inputs[index] ?? '');
      if (value?.every((element) => typeof element === 'number')) return value as readonly number[];
      const initializer = graph.initializers.get(node.inputs[index] ?? '');
      return initializer && elementCount(initializer) <= largestRead
        ? tensorNumbers(initializer)
        : null;
    },
    refuse(reason) {
      throw new FoveaError('unsupported', `the gradient of ${title} needs ${reason}`);
    },
  };
}
