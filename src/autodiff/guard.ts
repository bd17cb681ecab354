import { FoveaError } from '../errors.ts';
import {
  type DataType,
  type Graph,
  type Node,
  operatorKey,
  type TensorInfo,
} from '../onnx/index.ts';

/** Largest number of elements of an axis. A larger axis is a sign of a broken file. */
const largestAxis = 2 ** 24;
/**
 * Largest axis of a layer with a kernel, where the axis is a side or the channels. Rules loop over
 * it.
 */
const largestSide = 2 ** 20;
/** Largest number of elements of a tensor: 4 GiB in float32. */
const largestTensor = 2 ** 30;
/** Largest number of elements of a constant that a gradient rule computes: 64 MiB in float32. */
export const largestConstant = 2 ** 24;
/** Element types whose elements are not real numbers. Tensors of these types have no gradient. */
const withoutGradient: ReadonlySet<DataType> = new Set(['string', 'complex64', 'complex128']);

/** Smallest and largest allowed value of the attributes that set the length of loops in rules. */
const limits: Readonly<Record<string, readonly [low: number, high: number]>> = {
  kernel_shape: [1, 2 ** 16],
  strides: [1, 2 ** 16],
  dilations: [1, 2 ** 16],
  pads: [-(2 ** 16), 2 ** 16],
  output_padding: [0, 2 ** 16],
  group: [1, 2 ** 20],
  num_groups: [1, 2 ** 20],
  blocksize: [1, 2 ** 10],
  size: [1, 2 ** 10],
};

/** The number of elements per spatial axis in each attribute of a layer with a kernel. */
const perSide: Readonly<Record<string, number>> = {
  kernel_shape: 1,
  strides: 1,
  dilations: 1,
  pads: 2,
  output_padding: 1,
};

/** The name of a node in error messages, for example `the Conv node "conv1"`. */
export const nameOf = (node: Node): string =>
  `the ${operatorKey(node)} node "${node.name || node.outputs[0]}"`;

/** The first operator set with all operators that rules emit, such as Where. */
const oldestOpset = 9;

/**
 * Refuses a graph whose operator set lacks operators of a backward pass.
 * @throws FoveaError `unsupported`, naming the opset.
 */
export function checkOpset(graph: Pick<Graph, 'opset'>): void {
  const opset = graph.opset.get('') ?? 1;
  if (opset < oldestOpset)
    throw new FoveaError(
      'unsupported',
      `gradients need opset ${oldestOpset} or later (gradientModel raises 7 and 8), and this ` +
        `model ` +
        `has opset ${opset}: convert it, for example with onnx.version_converter`,
    );
}

/**
 * Refuses a node if one of its tensors does not fit into memory, or has an element type without a
 * gradient. The check runs before the gradient rule creates constants of the tensor's size.
 * @throws FoveaError `unsupported`, naming the node and the tensor.
 */
export function checkTensors(known: ReadonlyMap<string, TensorInfo>, node: Node): void {
  for (const name of [...node.inputs, ...node.outputs]) {
    const type = known.get(name)?.type ?? 'float32';
    if (withoutGradient.has(type) || type.startsWith('type:'))
      throw new FoveaError(
        'unsupported',
        `the tensor "${name}" of ${nameOf(node)} has the element type ${type}, ` +
          'for which no gradient exists',
      );
    const sizes = (known.get(name)?.shape ?? []).filter((dim) => typeof dim === 'number');
    const count = sizes.reduce((product, size) => product * size, 1);
    const most = node.attributes.has('kernel_shape') ? largestSide : largestAxis;
    if (count > largestTensor || sizes.some((size) => size > most))
      throw new FoveaError(
        'unsupported',
        `the tensor "${name}" of ${nameOf(node)} is too large to be differentiated: ` +
          `[${known.get(name)?.shape}]`,
      );
  }
}

/**
 * Refuses a layer whose kernel has another number of axes than its input.
 * @throws FoveaError `model`, naming the node and the attribute.
 */
function checkWindow(node: Node, rank: number): void {
  if (node.opType === 'Pad') return;
  for (const [name, attribute] of node.attributes) {
    if (attribute.type !== 'ints' || !Object.hasOwn(perSide, name)) continue;
    const count = (perSide[name] ?? 0) * Math.max(0, rank - 2);
    if (attribute.value.length !== count)
      throw new FoveaError(
        'model',
        `${nameOf(node)} has ${attribute.value.length} numbers in the attribute ${name}: ` +
          `expected ${count} for an input of ${rank} axes`,
      );
  }
}

/**
 * Refuses attributes that every runtime rejects and with which a rule would run for minutes.
 * @throws FoveaError `model`, naming the node and the attribute.
 */
export function checkAttributes(known: ReadonlyMap<string, TensorInfo>, node: Node): void {
  const rank = known.get(node.inputs[0] ?? '')?.shape?.length;
  if (rank !== undefined) checkWindow(node, rank);
  for (const [name, attribute] of node.attributes) {
    if (attribute.type !== 'int' && attribute.type !== 'ints') continue;
    const values = attribute.type === 'int' ? [attribute.value] : attribute.value;
    const isAxis = name === 'axis' || name === 'axes';
    // Unsqueeze can add an axis after the last one.
    const axes = rank === undefined ? undefined : ([-rank - values.length, rank + 1] as const);
    const range = isAxis ? axes : Object.hasOwn(limits, name) ? limits[name] : undefined;
    if (range && values.some((value) => !(value >= range[0] && value <= range[1])))
      throw new FoveaError(
        'model',
        `${nameOf(node)} has the attribute ${name} = ${values.slice(0, 8)}: ` +
          `expected ${range[0]} to ${range[1]}`,
      );
  }
}

/**
 * Runs code that assumes a well-formed node. If an attribute is out of range, an input is missing
 * or declared sizes contradict each other, the error names the node.
 * @throws FoveaError `model`, naming the node.
 */
export function guarded<T>(node: Node, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof FoveaError && error.code !== 'internal') throw error;
    throw new FoveaError(
      'model',
      `no gradient can be built for ${nameOf(node)}: ` +
        'its inputs, attributes and declared sizes contradict each other',
      { cause: error },
    );
  }
}
