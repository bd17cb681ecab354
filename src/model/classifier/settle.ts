import { FoveaError, messageOf } from '../../errors.ts';
import { inferShapes, withGraph } from '../../onnx/index.ts';
import { createRandom } from '../../tensor/random.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import { sumToOne, toProbabilities } from '../scores.ts';
import { rowsOf } from './batches.ts';
import type { Classifier, ClassifierInput } from './find-io.ts';
import { batchFeeds, plain } from './picture-stage.ts';
import { SCORES, scoreKey, scoreModel, type Tail } from './score-tail.ts';
import type { SessionCache } from './sessions.ts';

/** Probabilities of one picture may differ by this much between a batch and the picture alone. */
const BATCH_TOLERANCE = 1e-4;

/** A batch of seeded noise, to test a model before it is used. */
function noise(count: number, { channels, height, width }: ClassifierInput): Tensor {
  const shape = [channels, height, width];
  const data = new Float32Array(count * sizeOf(shape));
  for (let i = 0; i < count; i++) {
    const random = createRandom(i);
    data.set(
      Float32Array.from({ length: sizeOf(shape) }, () => random.normal()),
      i * sizeOf(shape),
    );
  }
  return tensor([count, ...shape], data);
}

/** The model's own scores of a batch, [n, classes]: logits, or probabilities if it has them. */
function rawScores(classifier: Classifier, sessions: SessionCache, batch: Tensor): Promise<Tensor> {
  const score = classifier.output.probabilities === null ? 'logit' : 'probability';
  const tail: Tail = { score, pick: false };
  const build = () => ({ model: scoreModel(classifier, plain, tail), info: null });
  return sessions.use(scoreKey(plain, tail), build, async (session) => {
    const { shape = [], data } = (await session.run(batchFeeds(batch)))[SCORES] ?? {};
    return { shape, data: data as Float32Array };
  });
}

/**
 * Whether the graph shows that a picture's scores depend on the other pictures of its batch: these
 * operators compute one scale from all of their input.
 */
const dependsOnBatch = ({ model }: Classifier): boolean =>
  model.graph.nodes.some(({ opType }) => opType === 'DynamicQuantizeLinear');

/**
 * The classifier with a fixed batch, of 1 if its input is dynamic. It is used if the batch only
 * seems dynamic: an inner constant shape keeps it at 1, or the pictures of a batch change each
 * other's scores.
 */
const withFixedBatch = (classifier: Classifier): Classifier => ({
  ...classifier,
  input: { ...classifier.input, fixedBatch: classifier.input.fixedBatch ?? 1 },
});

/** The classifier with a dynamic batch; the same classifier if its batch is dynamic already. */
async function withOpenBatch(classifier: Classifier): Promise<Classifier> {
  const { model, input } = classifier;
  if (input.fixedBatch === null) return classifier;
  const { withDynamicBatch } = await import('../../onnx/dynamic-batch.ts');
  const graph = withDynamicBatch(model.graph, input.fixedBatch);
  return {
    ...classifier,
    model: withGraph(model, graph),
    types: inferShapes(graph),
    input: { ...input, fixedBatch: null },
  };
}

/**
 * The scores of one noise picture, if both pictures of a batch of two have the same scores as
 * alone; otherwise undefined.
 */
async function scoresOfOpened(
  classifier: Classifier,
  sessions: SessionCache,
): Promise<Float32Array | undefined> {
  const turned = (scores: Float32Array): Float32Array =>
    classifier.output.probabilities === null ? toProbabilities(scores) : scores;
  try {
    const batch = noise(2, classifier.input);
    const both = await rawScores(classifier, sessions, batch);
    const alone = [
      (await rawScores(classifier, sessions, rowsOf(batch, 0, 1))).data,
      (await rawScores(classifier, sessions, rowsOf(batch, 1, 2))).data,
    ];
    const isSame = alone.every((scores, i) => {
      const row = turned(both.data.subarray(i * scores.length, (i + 1) * scores.length));
      return turned(scores).every(
        (value, k) => Math.abs(value - (row[k] ?? Number.NaN)) < BATCH_TOLERANCE,
      );
    });
    return both.shape[0] === 2 && isSame ? alone[0] : undefined;
  } catch {
    return undefined; // the runtime refuses a batch of two, so the model has a fixed batch
  }
}

/** The scores of one noise picture in the batch that the model takes. */
async function scoresOf(classifier: Classifier, sessions: SessionCache): Promise<Float32Array> {
  const { input } = classifier;
  const { shape, data } = await rawScores(
    classifier,
    sessions,
    noise(input.fixedBatch ?? 1, input),
  );
  return data.subarray(0, shape[1]);
}

/** Facts from the caller of `settle`. */
export interface SettleOptions {
  /** The model's name, for errors. */
  readonly name: string;
  /** The runtime's name, for errors. */
  readonly runtime: string;
  /** Whether the caller has said what the scores are, so that they are not tested. */
  readonly outputIsGiven: boolean;
}

/**
 * Runs a noise picture through a classifier to find facts that its graph does not show: whether a
 * fixed batch can be made dynamic, the number of classes, and whether the scores are probabilities
 * because a softmax is written in other operators. The session stays in the cache if it can be used
 * later.
 * @throws FoveaError `model` if the model does not run, or returns no scores.
 */
export async function settle(
  found: Classifier,
  sessions: SessionCache,
  { name, runtime, outputIsGiven }: SettleOptions,
): Promise<Classifier> {
  try {
    const opened = await withOpenBatch(found);
    const ofOpened = dependsOnBatch(found) ? undefined : await scoresOfOpened(opened, sessions);
    if (!ofOpened) await sessions.dispose();
    const classifier = ofOpened ? opened : withFixedBatch(found);
    const scores = ofOpened ?? (await scoresOf(classifier, sessions));
    if (scores.length === 0)
      throw new FoveaError('model', `${name}: not an image classifier: it returns no scores`);
    const output = { ...classifier.output, classes: scores.length };
    if (outputIsGiven || output.probabilities !== null || !sumToOne(scores))
      return { ...classifier, output };
    await sessions.dispose(); // the graphs built so far treat the scores as logits
    return { ...classifier, output: { ...output, logits: null, probabilities: output.name } };
  } catch (error) {
    await sessions.dispose();
    if (error instanceof FoveaError) {
      const { loadError } = await import('./load-error.ts');
      throw loadError(error, name, found.model.graph, runtime);
    }
    throw new FoveaError('model', `${name}: the model does not run: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
