import { FoveaError } from '../../errors.ts';
import {
  compose,
  type Graph,
  graphBuilder,
  modelOf,
  type OnnxModel,
  subgraph,
  type TensorType,
  withGraph,
  writeModel,
} from '../../onnx/index.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';
import type { ScoreKind } from '../model.ts';
import { type ClassifierInput, type ClassifierOutput, isSigmoidHead } from './find-io.ts';
import { STAGE_OUTPUT, type Stage, stageGraph } from './input-stage.ts';

/**
 * Sessions are graphs with their own copy of the weights: the least recently used beyond these are
 * released.
 */
const MOST_SESSIONS = 4;

/** A classifier as a graph: the file, and what was found in it. */
export interface Classifier {
  readonly model: OnnxModel;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly input: ClassifierInput;
  readonly output: ClassifierOutput;
}

/** What a session puts out: scores of all classes, or of the classes fed as targets. */
export interface Tail {
  readonly score: ScoreKind;
  readonly pick: boolean;
}

/** Name of the scores [n, classes] or [n, targets] among a session's outputs. */
export const SCORES = 'fovea/scores';
/** Name of the int64 input that lists the classes to score. */
export const TARGETS = 'fovea/targets';
const RAW = 'fovea/raw';

/**
 * The graph that goes after a classifier: [n, classes] float32 as logits or probabilities,
 * optionally of some classes only. `have` is what the tensor before it holds: logits can be turned
 * into probabilities, not the other way.
 */
function scoreGraph(
  have: ScoreKind,
  want: ScoreKind,
  sigmoid: boolean,
  pick: boolean,
  type: TensorType['type'],
  opset: number,
): Graph {
  const b = graphBuilder({ opset, name: 'scores' });
  const raw = b.add('Cast', [b.input(RAW, type ?? 'float32', null)], { to: 1 });
  const flat = b.add('Flatten', [raw], { axis: 1 });
  const turned =
    have === want
      ? flat
      : b.add(sigmoid ? 'Sigmoid' : 'Softmax', [flat], sigmoid ? {} : { axis: 1 });
  if (pick) b.add('Gather', [turned, b.input(TARGETS, 'int64', ['targets'])], { axis: 1 }, SCORES);
  else b.add('Identity', [turned], {}, SCORES);
  b.output(SCORES, 'float32', null);
  return b.finish();
}

/**
 * The tensor that scores are computed from, and what it holds.
 * @throws FoveaError `unsupported` if logits are asked for of a model that ends in probabilities.
 */
export function scoreSource(
  { output }: Classifier,
  score: ScoreKind,
): { readonly tensor: string; readonly have: ScoreKind } {
  if (score === 'logit' && output.logits === null) {
    throw new FoveaError(
      'unsupported',
      'the model ends in probabilities, and its logits are not to be found: ask for probabilities (option output=probability)',
    );
  }
  if (output.probabilities !== null && score === 'probability')
    return { tensor: output.probabilities, have: 'probability' };
  return { tensor: output.logits as string, have: 'logit' };
}

/** Puts the scores after a graph that ends in the tensor of `scoreSource`. */
export function scoreTail(
  classifier: Classifier,
  score: ScoreKind,
  pick: boolean,
  body: OnnxModel,
): OnnxModel {
  const { model, types, output } = classifier;
  const { tensor, have } = scoreSource(classifier, score);
  const sigmoid = output.classes === 1 || isSigmoidHead(model.graph, output);
  const type =
    types.get(tensor)?.type ??
    model.graph.outputs.find((info) => info.name === tensor)?.type ??
    'float32';
  const after = scoreGraph(have, score, sigmoid, pick, type, model.graph.opset.get('') ?? 1);
  return compose(body, modelOf(after), { [RAW]: tensor }, { main: 'first' });
}

function buildClassifier(classifier: Classifier, stage: Stage, tail: Tail): OnnxModel {
  const { model, types, input } = classifier;
  const before = modelOf(stageGraph(stage, input, model.graph.opset.get('') ?? 1));
  const { tensor } = scoreSource(classifier, tail.score);
  const body = withGraph(
    model,
    subgraph(model.graph, { inputs: [input.name], outputs: [tensor] }, types),
  );
  return scoreTail(
    classifier,
    tail.score,
    tail.pick,
    // The names of the classifier stay: the tail looks for its scores by name.
    compose(before, body, { [input.name]: STAGE_OUTPUT }, { main: 'second' }),
  );
}

interface Entry {
  readonly session: Promise<Session>;
  /** Runs under way or about to start: it is not released under them. */
  users: number;
}

/** Loads graphs made from one classifier, each for one purpose, as they are asked for. */
export class ClassifierSessions {
  private readonly entries = new Map<string, Entry>();
  private readonly classifier: Classifier;
  private readonly runtime: Runtime;

  constructor(classifier: Classifier, runtime: Runtime) {
    this.classifier = classifier;
    this.runtime = runtime;
  }

  /**
   * Runs `stage`, the classifier, and `tail`: a session that is made at its first run, and again if
   * it had to make room.
   */
  get(stage: Stage, tail: Tail): Pick<Session, 'run'> {
    const build = () => buildClassifier(this.classifier, stage, tail);
    return {
      run: (...args) =>
        this.use(JSON.stringify([stage, tail]), build, (session) => session.run(...args)),
    };
  }

  /**
   * Runs `task` with the session of the graph that `build` makes: built once for each key, and
   * again if it had to make room.
   */
  async use<T>(
    key: string,
    build: () => OnnxModel,
    task: (session: Session) => Promise<T>,
  ): Promise<T> {
    const entry = this.entries.get(key) ?? this.open(key, build);
    this.entries.delete(key);
    this.entries.set(key, entry); // the map's order is the order of use
    entry.users++;
    try {
      return await task(await entry.session);
    } finally {
      entry.users--;
      await this.makeRoom();
    }
  }

  async dispose(): Promise<void> {
    const entries = [...this.entries.values()];
    this.entries.clear();
    for (const { session } of entries) await release(session);
  }

  private open(key: string, build: () => OnnxModel): Entry {
    const entry = { session: this.runtime.createSession(writeModel(build())), users: 0 };
    entry.session.catch(() => {
      if (this.entries.get(key) === entry) this.entries.delete(key);
    });
    return entry;
  }

  private async makeRoom(): Promise<void> {
    for (const [key, { session, users }] of this.entries) {
      if (this.entries.size <= MOST_SESSIONS) return;
      if (users > 0) continue;
      this.entries.delete(key);
      await release(session);
    }
  }
}

/** A session that could not be made needs no release. */
async function release(session: Promise<Session>): Promise<void> {
  await (await session.catch(() => undefined))?.release();
}
