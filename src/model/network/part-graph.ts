import { keyOfRules, loadGradientModel, type RuleSet } from '../../autodiff/index.ts';
import {
  compose,
  dataTypeCode,
  type Graph,
  graphBuilder,
  modelOf,
  type OnnxModel,
  opsetOf,
  subgraph,
  type TensorType,
  withGraph,
} from '../../onnx/index.ts';
import type { Classifier } from '../classifier/find-io.ts';
import { BATCH, plain, STAGE_OUTPUT, stageGraph } from '../classifier/picture-stage.ts';
import { SCORES, scoreSource, scoreTail } from '../classifier/score-tail.ts';
import { INPUT, type ScoreKind } from '../model.ts';
import { withFedBatch } from './fed-batch.ts';
import type { Preparation, PreparedModel } from './prepared.ts';

/**
 * The inputs and outputs of a graph that is made from a classifier: from the whole network, or from
 * the part after a tensor.
 */
export interface Part {
  /** The tensor that is fed; null for the pictures. */
  readonly at: string | null;
  /** Further tensors that are fed instead of computed. */
  readonly replaced: readonly string[];
  /** The kind of scores [n, classes] to return, if any. */
  readonly score: ScoreKind | null;
  /** Tensors of the network to return. */
  readonly read: readonly string[];
  /** Tensors to differentiate the scores by; `INPUT` is the tensor that is fed. */
  readonly wrt: readonly string[];
  readonly rules: RuleSet;
}

/** A key of a part: equal parts have equal keys, different parts have different keys. */
export function keyOf({ rules, ...part }: Part): string {
  return JSON.stringify({ ...part, rules: keyOfRules(rules) });
}

/** How a tensor of the network is fed: the name of the input, and the rank of the tensor. */
interface FedTensor {
  readonly input: string;
  readonly rank: number | undefined;
}

/** The names of the inputs and outputs of a part's graph. */
export interface PartNames {
  /** The input of the pictures, or of the values of the tensor `at`, in float32. */
  readonly input: string;
  /**
   * The input of the weights [n, classes] with which the scores are summed before they are
   * differentiated; null without a backward pass.
   */
  readonly cotangent: string | null;
  /** The input of the reference [1, …]; null for rules without a reference. */
  readonly reference: string | null;
  /** The input of each tensor of `replaced`, in float32. */
  readonly replaced: ReadonlyMap<string, FedTensor>;
  /** The output of each tensor of `read`. */
  readonly values: ReadonlyMap<string, string>;
  /** The output of each tensor of `wrt`. */
  readonly gradients: ReadonlyMap<string, string>;
}

/** A part as a model, with the names of its inputs and outputs. */
export interface BuiltPart extends PartNames {
  readonly model: OnnxModel;
}

const START = 'fovea/start';

const opsetIn = ({ graph }: OnnxModel): number => opsetOf(graph, { domain: '' });

/** A model that casts a tensor from float32 to its own type (`in`), or back (`out`). */
function castModel(
  from: string,
  to: string,
  { type, shape }: TensorType,
  direction: 'in' | 'out',
  opset: number,
): OnnxModel {
  const own = type ?? 'float32';
  const b = graphBuilder({ opset, name: 'cast' });
  const [source, result] =
    direction === 'in' ? (['float32', own] as const) : ([own, 'float32'] as const);
  b.add('Cast', [b.input(from, source, shape)], { to: dataTypeCode(result) }, to);
  b.output(to, result, shape);
  return modelOf(b.finish());
}

const UNKNOWN: TensorType = { type: null, shape: null };

/** Feeds the tensor `name` of a body through a new input, in float32. */
function feed(body: OnnxModel, name: string, input: string, type = UNKNOWN): OnnxModel {
  const cast = castModel(input, `${input}/cast`, type, 'in', opsetIn(body));
  return compose(cast, body, { [name]: `${input}/cast` }, { main: 'second' });
}

/**
 * The model that a part is cut from. Gradients and cuts use the prepared model, in which shapes are
 * constants and fused operators are split. If only values are read, it is the model of the file, so
 * that the values are those of `classify`.
 */
function sourceOfPart(
  { model, types, input }: Classifier,
  prepared: Preparation,
  part: Part,
  outputs: readonly string[],
): PreparedModel {
  const named = [...part.replaced, ...part.read, ...part.wrt.filter((name) => name !== INPUT)];
  const own = new Set([input.name, ...model.graph.nodes.flatMap((node) => node.outputs)]);
  const isForward = part.at === null && part.replaced.length === 0 && part.wrt.length === 0;
  if (isForward && named.every((name) => own.has(name))) return { model, types };
  return prepared([part.at ?? input.name, ...named, ...outputs]);
}

/** The network from its pictures, or from `at`, to the outputs, with float32 inputs. */
function fedBody(
  input: Classifier['input'],
  { model, types }: PreparedModel,
  part: Part,
  outputs: readonly string[],
): Pick<BuiltPart, 'model' | 'input' | 'replaced'> {
  const start = part.at ?? input.name;
  const graph = part.at === null ? model.graph : withFedBatch(model.graph, start, types);
  const cut = subgraph(graph, { inputs: [start, ...part.replaced], outputs }, types);
  let body = withGraph(model, cut);
  const replaced = new Map<string, FedTensor>();
  part.replaced.forEach((name, i) => {
    const fed = `fovea/replaced/${i}`;
    body = feed(body, name, fed, types.get(name));
    replaced.set(name, { input: fed, rank: types.get(name)?.shape?.length });
  });
  if (part.at !== null)
    return { model: feed(body, part.at, START, types.get(part.at)), input: START, replaced };
  const stage: Graph = stageGraph(plain, input, opsetIn(body));
  const whole = compose(modelOf(stage), body, { [input.name]: STAGE_OUTPUT }, { main: 'second' });
  return { model: whole, input: BATCH, replaced };
}

/** Adds the tensors of `read` as float32 outputs with new names. */
function readOut(
  whole: OnnxModel,
  types: ReadonlyMap<string, TensorType>,
  read: readonly string[],
): { model: OnnxModel; values: Map<string, string> } {
  const values = new Map<string, string>();
  let model = whole;
  read.forEach((name, i) => {
    const output = `fovea/value/${i}`;
    const type: TensorType = { type: types.get(name)?.type ?? null, shape: null };
    const cast = castModel(`${output}/in`, output, type, 'out', opsetIn(model));
    // The tensor itself stays in the graph, because a gradient may be taken with respect to it.
    model = compose(model, cast, { [`${output}/in`]: name }, { main: 'first' });
    values.set(name, output);
  });
  return { model, values };
}

/**
 * Builds the graph of a part of a classifier: the stage before the network, the network or the part
 * after `at`, the scores, the requested tensors, and the backward pass.
 * @throws FoveaError `model` if a tensor does not exist or the network cannot be cut there,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export async function buildPart(
  classifier: Classifier,
  prepared: Preparation,
  part: Part,
): Promise<BuiltPart> {
  const { score, read } = part;
  const tail = score === null ? null : { score, pick: false };
  const scored = score === null ? [] : [scoreSource(classifier, score).tensor];
  const outputs = [...new Set([...scored, ...read])];
  const source = sourceOfPart(classifier, prepared, part, outputs);
  const body = fedBody(classifier.input, source, part, outputs);
  const { model, values } = readOut(body.model, source.types, read);
  const forward: BuiltPart = {
    ...body,
    model: tail ? scoreTail(classifier, tail, model) : model,
    values,
    cotangent: null,
    reference: null,
    gradients: new Map(),
  };
  return part.wrt.length === 0 ? forward : withBackward(forward, part);
}

/** A part's graph with the backward pass from its scores. */
async function withBackward(forward: BuiltPart, { wrt, rules }: Part): Promise<BuiltPart> {
  const { input, replaced, values } = forward;
  const nameOf = (name: string): string =>
    name === INPUT ? input : (replaced.get(name)?.input ?? name);
  const { gradients, ...backward } = await loadGradientModel(forward.model, {
    of: SCORES,
    wrt: wrt.map(nameOf),
    outputs: [SCORES, ...values.values()],
    rules,
    input,
    isPrepared: true,
  });
  const named = wrt.flatMap((name): [string, string][] => {
    const output = gradients.get(nameOf(name));
    return output === undefined ? [] : [[name, output]];
  });
  return { ...forward, ...backward, gradients: new Map(named) };
}
