import { FoveaError } from '../errors.ts';
import { compose, type Graph, graphBuilder, modelOf, type OnnxModel, subgraph, type TensorType, withGraph, writeModel } from '../onnx/index.ts';
import type { Runtime, Session } from '../runtime/runtime.ts';
import { type ClassifierInput, type ClassifierOutput, isSigmoidHead } from './classifier-graph.ts';
import type { ScoreKind } from './model.ts';
import { STAGE_OUTPUT, type Stage, stageGraph } from './perturbation-graph.ts';

/** Sessions are graphs with their own copy of the weights: the least recently used beyond these are released. */
const MOST_SESSIONS = 4;

/** A classifier as a graph: the file, and what was found in it. */
export interface Classifier {
  readonly model: OnnxModel;
  readonly types: ReadonlyMap<string, TensorType>;
  readonly input: ClassifierInput;
  readonly output: ClassifierOutput;
}

/** What a session puts out: scores of all classes, scores of the classes fed as targets, or named tensors. */
export type Tail = { readonly score: ScoreKind; readonly pick: boolean } | { readonly tensors: readonly string[] };

/** Name of the scores [n, classes] or [n, targets] among a session's outputs. */
export const SCORES = 'fovea/scores';
/** Name of the int64 input that lists the classes to score. */
export const TARGETS = 'fovea/targets';
const RAW = 'fovea/raw';

/**
 * The graph that goes after a classifier: [n, classes] float32 as logits or probabilities, optionally of some classes only.
 * `have` is what the tensor before it holds: logits can be turned into probabilities, not the other way.
 */
function scoreGraph(have: ScoreKind, want: ScoreKind, sigmoid: boolean, pick: boolean, type: TensorType['type'], opset: number): Graph {
  const b = graphBuilder({ opset, name: 'scores' });
  const raw = b.add('Cast', [b.input(RAW, type ?? 'float32', null)], { to: 1 });
  const flat = b.add('Flatten', [raw], { axis: 1 });
  const turned = have === want ? flat : b.add(sigmoid ? 'Sigmoid' : 'Softmax', [flat], sigmoid ? {} : { axis: 1 });
  if (pick) b.add('Gather', [turned, b.input(TARGETS, 'int64', ['targets'])], { axis: 1 }, SCORES);
  else b.add('Identity', [turned], {}, SCORES);
  b.output(SCORES, 'float32', null);
  return b.finish();
}

/** Name under which a session puts out a tensor of the graph, whatever its type, as float32. */
export const floatName = (tensor: string): string => `fovea/float32/${tensor}`;

/** The graph that goes after a classifier whose inner tensors are asked for: only some types cross out of a session. */
function tensorGraph(tensors: readonly string[], types: ReadonlyMap<string, TensorType>, opset: number): Graph {
  const b = graphBuilder({ opset, name: 'tensors' });
  for (const name of tensors) {
    b.add('Cast', [b.input(`${RAW}/${name}`, types.get(name)?.type ?? 'float32', null)], { to: 1 }, floatName(name));
    b.output(floatName(name), 'float32', null);
  }
  return b.finish();
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

  /** Runs `stage`, the classifier, and `tail`: a session that is made at its first run, and again if it had to make room. */
  get(stage: Stage, tail: Tail): Pick<Session, 'run'> {
    return { run: (...args) => this.use(stage, tail, (session) => session.run(...args)) };
  }

  async dispose(): Promise<void> {
    const entries = [...this.entries.values()];
    this.entries.clear();
    for (const { session } of entries) await release(session);
  }

  private async use<T>(stage: Stage, tail: Tail, task: (session: Session) => Promise<T>): Promise<T> {
    const key = JSON.stringify([stage, tail]);
    const entry = this.entries.get(key) ?? this.open(key, stage, tail);
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

  private open(key: string, stage: Stage, tail: Tail): Entry {
    const entry = { session: this.runtime.createSession(writeModel(this.build(stage, tail))), users: 0 };
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

  private build(stage: Stage, tail: Tail): OnnxModel {
    const { model, types, input, output } = this.classifier;
    const opset = model.graph.opset.get('') ?? 1;
    const before = modelOf(stageGraph(stage, input, opset));
    const body = (outputs: readonly string[]) => withGraph(model, subgraph(model.graph, { inputs: [input.name], outputs }, types));
    if ('tensors' in tail) {
      const inner = compose(before, body(tail.tensors), { [input.name]: STAGE_OUTPUT });
      return compose(inner, modelOf(tensorGraph(tail.tensors, types, opset)), Object.fromEntries(tail.tensors.map((name) => [`${RAW}/${name}`, name])));
    }
    if (tail.score === 'logit' && output.logits === null) {
      throw new FoveaError('unsupported', 'the model ends in probabilities, and its logits are not to be found: ask for probabilities');
    }
    const useProbabilities = output.probabilities !== null && tail.score === 'probability';
    const tensor = (useProbabilities ? output.probabilities : output.logits) as string;
    const sigmoid = output.classes === 1 || isSigmoidHead(model.graph, output);
    const type = types.get(tensor)?.type ?? model.graph.outputs.find((info) => info.name === tensor)?.type ?? 'float32';
    const after = modelOf(scoreGraph(useProbabilities ? 'probability' : 'logit', tail.score, sigmoid, tail.pick, type, opset));
    return compose(compose(before, body([tensor]), { [input.name]: STAGE_OUTPUT }), after, { [RAW]: tensor });
  }
}

/** A session that could not be made needs no release. */
async function release(session: Promise<Session>): Promise<void> {
  await (await session.catch(() => undefined))?.release();
}
