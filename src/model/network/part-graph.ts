import { gradientModel, keyOfRules, prepareGraph, type RuleSet } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import {
  compose,
  type Graph,
  graphBuilder,
  inferShapes,
  modelOf,
  type OnnxModel,
  subgraph,
  type TensorType,
  withGraph,
} from '../../onnx/index.ts';
import { BATCH, STAGE_OUTPUT, stageGraph } from '../classifier/input-stage.ts';
import { type Classifier, SCORES, scoreSource, scoreTail } from '../classifier/sessions.ts';
import { INPUT, type ScoreKind } from '../model.ts';

/**
 * What a graph made from a classifier takes and gives: all of the network or the part after a
 * tensor.
 */
export interface Part {
  /** The tensor that is fed; null for the pictures. */
  readonly at: string | null;
  /** Tensors that are fed beside it, instead of being computed. */
  readonly replaced: readonly string[];
  /** Scores [n, classes] to put out, if any. */
  readonly score: ScoreKind | null;
  /** Tensors of the network to put out. */
  readonly read: readonly string[];
  /** Tensors to differentiate the scores by; `INPUT` for what is fed. */
  readonly wrt: readonly string[];
  readonly rules: RuleSet;
}

/** A text that two parts share only if they are the same. */
export function keyOf({ rules, ...part }: Part): string {
  return JSON.stringify({ ...part, rules: keyOfRules(rules) });
}

/** A graph for one purpose, and what its inputs and outputs are called. */
export interface BuiltPart {
  readonly model: OnnxModel;
  /** Takes the pictures, or the values of the tensor `at`, in float32. */
  readonly input: string;
  /**
   * Takes the weights [n, classes] with which the scores are summed before they are differentiated.
   */
  readonly cotangent: string | null;
  /** Takes what the input is compared with, [1, …], where the rules want it. */
  readonly reference: string | null;
  /** The input, in float32, and the rank of each tensor of `replaced`. */
  readonly replaced: ReadonlyMap<
    string,
    { readonly input: string; readonly rank: number | undefined }
  >;
  /** The output of each tensor of `read`. */
  readonly values: ReadonlyMap<string, string>;
  /** The output of each tensor of `wrt`. */
  readonly gradients: ReadonlyMap<string, string>;
}

const START = 'fovea/start';

/** Casts a tensor that comes from outside, or goes there, between float32 and its own type. */
function castGraph(
  from: string,
  to: string,
  type: TensorType,
  direction: 'in' | 'out',
  opset: number,
): Graph {
  const codes: Readonly<Record<string, number>> = {
    float32: 1,
    float16: 10,
    float64: 11,
    bfloat16: 16,
  };
  const own = type.type ?? 'float32';
  const b = graphBuilder({ opset, name: 'cast' });
  const [source, result] =
    direction === 'in' ? (['float32', own] as const) : ([own, 'float32'] as const);
  b.add('Cast', [b.input(from, source, type.shape)], { to: codes[result] ?? 1 }, to);
  b.output(to, result, type.shape);
  return b.finish();
}

/**
 * A graph without what comes before its inputs, its input, and those of the tensors that are
 * replaced.
 */
interface Body {
  readonly body: OnnxModel;
  readonly input: string;
  readonly replaced: BuiltPart['replaced'];
}

const castModel = (
  from: string,
  to: string,
  type: TensorType | undefined,
  opset: number,
): OnnxModel => modelOf(castGraph(from, to, type ?? { type: null, shape: null }, 'in', opset));

/** The network from its pictures or from `at` on, fed with float32. */
function fedBody(
  { model, types, input }: Classifier,
  part: Part,
  outputs: readonly string[],
  opset: number,
): Body {
  const own = new Set([input.name, ...model.graph.nodes.flatMap((node) => node.outputs)]);
  const named = [...part.replaced, ...part.read, ...part.wrt.filter((name) => name !== INPUT)];
  const start = part.at ?? input.name;
  // Shapes that exports compute from the input of the network are folded before it is cut;
  // operators that fuse attention are taken apart where it is asked for.
  const asItIs =
    part.at === null && part.replaced.length === 0 && named.every((name) => own.has(name));
  const prepared = asItIs
    ? model.graph
    : prepareGraph(model, { keep: [start, ...named, ...outputs] });
  const known = asItIs ? types : inferShapes(prepared);
  const cut = subgraph(prepared, { inputs: [start, ...part.replaced], outputs }, known);
  let body = withGraph(asItIs ? model : { ...model, functions: [] }, cut);
  const replaced = new Map<string, { input: string; rank: number | undefined }>();
  part.replaced.forEach((name, i) => {
    const fed = `fovea/replaced/${i}`;
    body = compose(
      castModel(fed, `${fed}/cast`, known.get(name), opset),
      body,
      { [name]: `${fed}/cast` },
      { main: 'second' },
    );
    replaced.set(name, { input: fed, rank: known.get(name)?.shape?.length });
  });
  if (part.at === null) {
    return {
      body: compose(
        modelOf(stageGraph('plain', input, opset)),
        body,
        { [input.name]: STAGE_OUTPUT },
        { main: 'second' },
      ),
      input: BATCH,
      replaced,
    };
  }
  const cast = castModel(START, `${START}/cast`, known.get(part.at), opset);
  return {
    body: compose(cast, body, { [part.at]: `${START}/cast` }, { main: 'second' }),
    input: START,
    replaced,
  };
}

/** Puts the tensors of `read` out in float32, under names of their own. */
function readOut(
  whole: OnnxModel,
  { types }: Classifier,
  read: readonly string[],
): { model: OnnxModel; values: Map<string, string> } {
  const values = new Map<string, string>();
  let model = whole;
  const opset = model.graph.opset.get('') ?? 1;
  read.forEach((name, i) => {
    const output = `fovea/value/${i}`;
    const cast = modelOf(
      castGraph(
        `${output}/in`,
        output,
        { type: types.get(name)?.type ?? null, shape: null },
        'out',
        opset,
      ),
    );
    // The tensor itself stays in the graph, where a gradient may be taken by it.
    model = compose(model, cast, { [`${output}/in`]: name }, { main: 'first' });
    values.set(name, output);
  });
  return { model, values };
}

/**
 * Builds the graph of a part of a classifier: what runs before the network, the network or what
 * lies after `at`, the scores, the tensors asked for, and the backward pass.
 * @throws FoveaError `model` if a tensor does not exist or the network cannot be cut there,
 * `unsupported` naming the operator that cannot be differentiated.
 */
export function buildPart(classifier: Classifier, part: Part): BuiltPart {
  const opset = classifier.model.graph.opset.get('') ?? 1;
  const source = part.score === null ? [] : [scoreSource(classifier, part.score).tensor];
  const outputs = [...new Set([...source, ...part.read])];
  const { body, input, replaced } = fedBody(classifier, part, outputs, opset);
  const { model: read, values } = readOut(body, classifier, part.read);
  const whole = part.score === null ? read : scoreTail(classifier, part.score, false, read);
  if (part.wrt.length === 0)
    return {
      model: whole,
      input,
      replaced,
      cotangent: null,
      reference: null,
      values,
      gradients: new Map(),
    };
  const wrt = part.wrt.map((name) =>
    name === INPUT ? input : (replaced.get(name)?.input ?? name),
  );
  const outputNames = [SCORES, ...values.values()];
  const gradient = gradientModel(whole, {
    of: SCORES,
    wrt,
    outputs: outputNames,
    rules: part.rules,
    input,
  });
  const gradients = new Map(
    part.wrt.map((name, i) => [name, gradient.gradients.get(wrt[i]) as string]),
  );
  return {
    model: gradient.model,
    input,
    replaced,
    cotangent: gradient.cotangent,
    reference: gradient.reference,
    values,
    gradients,
  };
}

/**
 * The same error with the model's name before it, and what still works where a gradient is refused.
 */
export function explainRefusal(error: unknown, name: string): unknown {
  if (!(error instanceof FoveaError) || error.code === 'internal') return error;
  const advice =
    error.code === 'unsupported' && /differentiated|gradient/.test(error.message)
      ? '; methods that need no gradients still work'
      : '';
  return new FoveaError(error.code, `${name}: ${error.message}${advice}`, { cause: error });
}
