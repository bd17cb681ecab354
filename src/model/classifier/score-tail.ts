import { FoveaError } from '../../errors.ts';
import {
  compose,
  type Graph,
  graphBuilder,
  modelOf,
  type OnnxModel,
  opsetOf,
  subgraph,
  type TensorType,
  withGraph,
} from '../../onnx/index.ts';
import type { ScoreKind } from '../model.ts';
import { type Classifier, isSigmoidHead } from './find-io.ts';
import { STAGE_OUTPUT, type Stage, stageGraph } from './picture-stage.ts';

/** The output of a session: scores of all classes, or (`pick`) of the classes fed as targets. */
export interface Tail {
  readonly score: ScoreKind;
  readonly pick: boolean;
}

/** Name of the scores [n, classes] or [n, targets] among a session's outputs. */
export const SCORES = 'fovea/scores';
/** Name of the int64 input that lists the classes to score. */
export const TARGETS = 'fovea/targets';
const RAW = 'fovea/raw';

/** The scores of a classifier, and the scores that the tail computes from them. */
interface TailTask extends Tail {
  /** The kind of the scores before the tail. Logits can become probabilities, not the reverse. */
  readonly have: ScoreKind;
  /** Whether classes are independent: a sigmoid, no softmax. */
  readonly sigmoid: boolean;
  readonly type: TensorType['type'];
  readonly opset: number;
}

/**
 * The graph that runs after a classifier. It computes [n, classes] float32, logits or
 * probabilities, optionally of some classes only.
 */
function scoreGraph({ have, score, sigmoid, pick, type, opset }: TailTask): Graph {
  const b = graphBuilder({ opset, name: 'scores' });
  const raw = b.add('Cast', [b.input(RAW, type ?? 'float32', null)], { to: 1 });
  const flat = b.add('Flatten', [raw], { axis: 1 });
  const turned =
    have === score
      ? flat
      : b.add(sigmoid ? 'Sigmoid' : 'Softmax', [flat], sigmoid ? {} : { axis: 1 });
  if (pick) b.add('Gather', [turned, b.input(TARGETS, 'int64', ['targets'])], { axis: 1 }, SCORES);
  else b.add('Identity', [turned], {}, SCORES);
  b.output(SCORES, 'float32', null);
  return b.finish();
}

/**
 * The tensor that scores are computed from, and the kind of its scores.
 * @throws FoveaError `unsupported` if logits are asked for, but the model ends in probabilities.
 */
export function scoreSource(
  { output: { logits, probabilities, name } }: Classifier,
  score: ScoreKind,
): { readonly tensor: string; readonly have: ScoreKind } {
  if (score === 'logit' && logits === null) {
    throw new FoveaError(
      'unsupported',
      'the model ends in probabilities, and Fovea finds no logits in it: ask for probabilities ' +
        '(option output=probability)',
    );
  }
  return probabilities !== null && score === 'probability'
    ? { tensor: probabilities, have: 'probability' }
    : { tensor: logits ?? name, have: 'logit' };
}

/** Appends the scores to a graph that ends in the tensor of `scoreSource`. */
export function scoreTail(classifier: Classifier, tail: Tail, body: OnnxModel): OnnxModel {
  const { model, types, output } = classifier;
  const { tensor, have } = scoreSource(classifier, tail.score);
  const after = scoreGraph({
    ...tail,
    have,
    sigmoid:
      output.classes === 1 || (output.independent ?? false) || isSigmoidHead(model.graph, output),
    type:
      types.get(tensor)?.type ??
      model.graph.outputs.find((info) => info.name === tensor)?.type ??
      'float32',
    opset: opsetOf(body.graph, { domain: '' }),
  });
  return compose(body, modelOf(after), { [RAW]: tensor }, { main: 'first' });
}

/** The graph that makes pictures, classifies them, and returns scores. */
export function scoreModel(classifier: Classifier, stage: Stage, tail: Tail): OnnxModel {
  const { model, types, input } = classifier;
  const before = modelOf(stageGraph(stage, input, opsetOf(model.graph, { domain: '' })));
  const { tensor } = scoreSource(classifier, tail.score);
  const cut = subgraph(model.graph, { inputs: [input.name], outputs: [tensor] }, types);
  const body = withGraph(model, cut);
  // The names of the classifier are kept, because the tail finds the scores by name.
  const fed = compose(before, body, { [input.name]: STAGE_OUTPUT }, { main: 'second' });
  return scoreTail(classifier, tail, fed);
}

/** The key of the session of a `scoreModel`. */
export function scoreKey({ name }: Stage, tail: Tail): string {
  return `scores ${name} ${tail.score} ${tail.pick ? 'of targets' : 'of all classes'}`;
}
