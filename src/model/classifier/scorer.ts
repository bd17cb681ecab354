import type { RuntimeTensor } from '../../runtime/runtime.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { ScoreKind } from '../model.ts';
import { checkScores } from '../scores.ts';
import { padBatch } from './batches.ts';
import type { Classifier } from './find-io.ts';
import { batchFeeds, plain, type Stage } from './picture-stage.ts';
import { SCORES, scoreKey, scoreModel, type Tail } from './score-tail.ts';
import type { SessionCache } from './sessions.ts';

/** Runs batches of a classifier in sessions that make pictures and score them. */
export interface Scorer {
  readonly classifier: Classifier;
  /** The scores of the first `rows` pictures of a stage, [rows · classes]. */
  scores(
    stage: Stage,
    tail: Tail,
    feeds: Record<string, RuntimeTensor>,
    rows: number,
  ): Promise<Float32Array>;
  /** The scores of unchanged pictures, [n · classes]. */
  classify(batch: Tensor, score: ScoreKind): Promise<Float32Array>;
}

/** A scorer for the model `name`. */
export function createScorer(name: string, classifier: Classifier, sessions: SessionCache): Scorer {
  const scores: Scorer['scores'] = async (stage, tail, feeds, rows) => {
    const build = () => ({ model: scoreModel(classifier, stage, tail), info: null });
    const outputs = await sessions.use(scoreKey(stage, tail), build, (session) =>
      session.run(feeds),
    );
    const { shape: [, classes = 0] = [], data } = outputs[SCORES] ?? {};
    const values = (data as Float32Array).subarray(0, rows * classes);
    checkScores(name, values);
    return values;
  };
  return {
    classifier,
    scores,
    classify(batch, score) {
      const [rows = 0] = batch.shape;
      const feeds = batchFeeds(padBatch(batch, classifier.input.fixedBatch));
      return scores(plain, { score, pick: false }, feeds, rows);
    },
  };
}
