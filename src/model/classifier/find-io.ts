import { FoveaError } from '../../errors.ts';
import {
  type Dim,
  dataInputs,
  type Graph,
  type Node,
  type OnnxModel,
  producersOf,
  SAME_ELEMENTS,
  type Shape,
  sourceOf,
  type TensorType,
  type ValueInfo,
} from '../../onnx/index.ts';
import { at } from '../../tensor/at.ts';

/** The picture input of a classifier. */
export interface ClassifierInput {
  readonly name: string;
  readonly layout: 'NCHW' | 'NHWC';
  readonly type: 'float32' | 'float16' | 'float64' | 'uint8';
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** The batch size that the model was exported with; null if the batch is dynamic. */
  readonly fixedBatch: number | null;
}

/** Where a classifier's scores are in its graph. */
export interface ClassifierOutput {
  /** The graph output that has the scores. */
  readonly name: string;
  /** Number of classes; null if it is unknown. */
  readonly classes: number | null;
  /** The tensor before the final softmax or sigmoid; null if none is found. */
  readonly logits: string | null;
  /** The tensor after that softmax or sigmoid; null if the model ends in logits. */
  readonly probabilities: string | null;
  /** Whether classes are independent (multi-label): each logit has its own sigmoid. */
  readonly independent?: boolean;
  /**
   * The other outputs that could be scores, as text with names and shapes; empty if there is none.
   */
  readonly others?: string;
}

/** A classifier as a graph, with its picture input and its scores. */
export interface Classifier {
  readonly model: OnnxModel;
  /** The inferred type and shape of each tensor. */
  readonly types: ReadonlyMap<string, TensorType>;
  readonly input: ClassifierInput;
  readonly output: ClassifierOutput;
}

const INPUT_TYPES = ['float32', 'float16', 'float64', 'uint8'] as const;

const describeInfo = (info: TensorType & { name: string }): string =>
  `${info.name} ${info.type ?? '?'} [${info.shape?.map((dim) => dim ?? '?').join(', ') ?? '?'}]`;

const isChannels = (dim: Dim | undefined): dim is 1 | 3 => dim === 1 || dim === 3;

/** Channels that the first Conv takes, for inputs whose shape does not tell them. */
function convChannels(graph: Graph, input: string): number | undefined {
  const conv = graph.nodes.find((node) => node.opType === 'Conv' && node.inputs[0] === input);
  const weight = conv && graph.initializers.get(conv.inputs[1] ?? '');
  return weight?.dims[1];
}

function layoutOf(graph: Graph, info: ValueInfo, shape: Shape): 'NCHW' | 'NHWC' {
  const [, a, , c] = shape;
  if (isChannels(a) && !isChannels(c)) return 'NCHW';
  if (isChannels(c) && !isChannels(a)) return 'NHWC';
  if (convChannels(graph, info.name) !== undefined) return 'NCHW';
  const transposed = graph.nodes.some(
    (node) => node.opType === 'Transpose' && node.inputs[0] === info.name,
  );
  return transposed ? 'NHWC' : 'NCHW';
}

/** Most values of an input: 2 GB as float32, the limit of runtimes and typed arrays. */
const MOST_VALUES = 2 ** 29;

/**
 * Finds the picture among a graph's inputs. `size` replaces a height and width that the graph
 * leaves open.
 * @throws FoveaError `model` if there is no such input, or if the graph needs other inputs too.
 */
export function findInput(graph: Graph, size: readonly [number, number]): ClassifierInput {
  const inputs = dataInputs(graph);
  const listed = inputs.map(describeInfo).join(', ') || 'none';
  const pictures = inputs.filter(
    (info) => info.shape?.length === 4 && INPUT_TYPES.some((type) => type === info.type),
  );
  const [info] = pictures;
  if (info === undefined || inputs.length !== 1) {
    throw new FoveaError(
      'model',
      'not an image classifier: expected one input of four dimensions ' +
        `(batch, channels, height, width), found ${listed}`,
    );
  }
  const shape = info.shape as Shape;
  const layout = layoutOf(graph, info, shape);
  const [channelDim, heightDim, widthDim] =
    layout === 'NCHW' ? shape.slice(1) : [shape[3], shape[1], shape[2]];
  const channels =
    typeof channelDim === 'number' ? channelDim : (convChannels(graph, info.name) ?? 3);
  if (!isChannels(channels))
    throw new FoveaError(
      'model',
      `not an image classifier: its input ${describeInfo(info)} has ${channels} channels, ` +
        'expected 1 or 3',
    );
  const height = typeof heightDim === 'number' ? heightDim : size[0];
  const width = typeof widthDim === 'number' ? widthDim : size[1];
  const fixedBatch = typeof shape[0] === 'number' ? shape[0] : null;
  if (channels * height * width * (fixedBatch ?? 1) > MOST_VALUES)
    throw new FoveaError(
      'model',
      `its input ${describeInfo(info)} is too large: expected at most ${MOST_VALUES} values`,
    );
  const type = info.type as ClassifierInput['type'];
  return { name: info.name, layout, type, channels, height, width, fixedBatch };
}

/**
 * Number of classes of a score tensor [n, classes], which may have further axes of size 1. Null if
 * the number is unknown, undefined if the tensor is not a score tensor.
 */
function classesOf({ type, shape }: TensorType): number | null | undefined {
  if (type !== null && !['float32', 'float16', 'float64', 'bfloat16'].includes(type))
    return undefined;
  if (shape === null) return null;
  if (shape.length < 2) return undefined;
  const rest = shape.slice(1).filter((dim) => dim !== 1);
  if (rest.length === 0) return 1;
  if (rest.length > 1) return undefined;
  return typeof rest[0] === 'number' ? rest[0] : null;
}

/** The operator that computed the elements of a tensor, before any change of shape. */
function maker(producers: ReadonlyMap<string, Node>, name: string): Node | undefined {
  return producers.get(sourceOf(producers, name, SAME_ELEMENTS));
}

function score(info: ValueInfo, classes: number | null): number {
  const named = /logit|prob|score|class|softmax|output/i.test(info.name) ? 1 : 0;
  return (classes ?? 0) > 1 ? 2 + named : named;
}

/** Whether an output contains boxes: four numbers for each of many places, or a name of boxes. */
function isBoxes(name: string, shape: Shape | null): boolean {
  if (!shape || shape.length < 3) return false;
  return shape.at(-1) === 4 || /b?box|landmark|kps|\bloc/i.test(name);
}

/**
 * Whether a model with these outputs is a detector, which does not have one score per class: it
 * selects boxes itself, or it has one score for each of its boxes.
 */
function isDetector(graph: Graph, taken: ValueInfo, shapeOf: (info: ValueInfo) => Shape | null) {
  if (graph.nodes.some(({ opType }) => opType === 'NonMaxSuppression')) return true;
  const shape = shapeOf(taken) ?? [];
  const others = graph.outputs.filter((info) => info !== taken);
  return others.some((info) => {
    const boxes = shapeOf(info);
    const places = boxes?.at(-2);
    return isBoxes(info.name, boxes) && (shape.length > 2 || places === shape.at(-1));
  });
}

/**
 * Finds the class scores among a graph's outputs, and whether they are computed by a softmax or
 * sigmoid.
 * @throws FoveaError `model` if no output looks like class scores, or the model is a detector.
 */
export function findOutput(graph: Graph, types: ReadonlyMap<string, TensorType>): ClassifierOutput {
  const candidates = graph.outputs.flatMap((info) => {
    const known =
      info.shape === null || info.shape.some((dim) => typeof dim !== 'number')
        ? (types.get(info.name) ?? info)
        : info;
    const classes = classesOf(known);
    return classes === undefined ? [] : [{ info, classes }];
  });
  if (candidates.length === 0) {
    const listed =
      graph.outputs.map((info) => describeInfo({ ...info, ...types.get(info.name) })).join(', ') ||
      'none';
    throw new FoveaError(
      'model',
      `not an image classifier: expected an output of shape [batch, classes], found ${listed}`,
    );
  }
  const best = candidates.reduce((a, b) =>
    score(b.info, b.classes) > score(a.info, a.classes) ? b : a,
  );
  const shapeOf = (info: ValueInfo) => types.get(info.name)?.shape ?? info.shape;
  if (isDetector(graph, best.info, shapeOf)) {
    const listed = graph.outputs.map((info) => describeInfo({ ...info, shape: shapeOf(info) }));
    throw new FoveaError(
      'model',
      'not an image classifier but a detector: its outputs are boxes and their scores ' +
        `(${listed.join(', ')})`,
    );
  }
  const others = candidates.filter(({ info }) => info !== best.info);
  const last = maker(producersOf(graph), best.info.name);
  const ends = last !== undefined && (last.opType === 'Softmax' || last.opType === 'Sigmoid');
  return {
    name: best.info.name,
    classes: best.classes,
    logits: ends ? at(last.inputs, 0) : best.info.name,
    probabilities: ends ? best.info.name : null,
    others: others.map(({ info }) => describeInfo({ ...info, shape: shapeOf(info) })).join(', '),
  };
}

/** Whether the scores end in a sigmoid: the classes are independent. */
export function isSigmoidHead(graph: Graph, output: ClassifierOutput): boolean {
  return (
    output.probabilities !== null &&
    maker(producersOf(graph), output.probabilities)?.opType === 'Sigmoid'
  );
}
