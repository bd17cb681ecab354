import { FoveaError } from '../errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type BatchLimit, rowsOf, runInBatches } from './classifier/batches.ts';
import { bothLabels } from './files/labels.ts';
import type { Preprocessing } from './input/preprocessing.ts';
import type { Model, ScoreKind } from './model.ts';
import { checkRequest, slicePerturbation } from './perturb-request.ts';
import { countOf } from './perturbation.ts';
import { renderPerturbation } from './render-perturbation.ts';
import { checkScores, pickClasses, sigmoid, toProbabilities } from './scores.ts';

/** A classifier that is a function: an HTTP endpoint, a model of another runtime, or a formula. */
export interface FunctionModelOptions {
  name: string;
  /** One label per class. For one score: the label of the class that it speaks for, or two. */
  labels: readonly string[];
  preprocessing: Preprocessing;
  /** What `classify` returns. */
  output: 'logits' | 'probabilities';
  /**
   * [n, C, H, W] -> [n, classes]. The scores of a picture must not depend on the others. One score,
   * [n, 1], counts for the second of two classes, and against the first.
   */
  classify: (batch: Tensor, signal?: AbortSignal) => Promise<Tensor>;
  /** Names the function in manifests; the model's name by default. */
  fingerprint?: string;
  runtime?: string;
  warnings?: readonly string[];
  /** Most pictures per call; by default as many as fit into 64 MB of input, at most 64. */
  maxBatch?: number;
}

const CHUNK_BYTES = 64 * 2 ** 20;

/** The scores of two classes from one score each: logits (-x, x), probabilities (1 - p, p). */
const bothScores = (scores: Float32Array, output: FunctionModelOptions['output']): Float32Array =>
  Float32Array.from({ length: 2 * scores.length }, (_, i) => {
    const score = scores[i >> 1] ?? Number.NaN;
    if (i % 2 === 1) return score;
    return output === 'logits' ? -score : 1 - score;
  });

/** The scores that a function returns for a batch, checked, as logits or probabilities. */
async function scoresOf(
  { name, labels, output, classify }: FunctionModelOptions,
  batch: Tensor,
  kind: ScoreKind,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const classes = labels.length;
  const [rows] = batch.shape;
  const { shape, data: given } = await classify(batch, signal);
  const isOne = classes === 2 && shape[1] === 1;
  if (shape.length !== 2 || shape[0] !== rows || (shape[1] !== classes && !isOne)) {
    throw new FoveaError(
      'model',
      `${name} returned [${shape}] for ${rows} pictures: expected [${rows}, ${classes}]`,
    );
  }
  checkScores(name, given);
  const data = isOne ? bothScores(given, output) : given;
  if (kind === 'logit' && output === 'probabilities') {
    throw new FoveaError(
      'unsupported',
      `${name} returns probabilities, so its logits are unknown: ask for probabilities`,
    );
  }
  if (kind === 'logit' || output === 'probabilities') return data;
  if (isOne) return data.map(sigmoid);
  const result = new Float32Array(data.length);
  for (let i = 0; i < result.length; i += classes)
    result.set(toProbabilities(data.subarray(i, i + classes)), i);
  return result;
}

/**
 * Wraps a function as a `Model`. Black-box methods work with it. Pictures are masked in JavaScript,
 * in chunks.
 */
export function createFunctionModel(given: FunctionModelOptions): Model {
  const options = { ...given, labels: bothLabels(given.labels, given.labels.length) };
  const { name, labels, preprocessing, output, fingerprint = name, maxBatch } = options;
  const { runtime = 'function', warnings = [] } = options;
  const classes = labels.length;
  const limitFor = ({ shape: [rows = 1], data }: Tensor): BatchLimit => {
    const bytes = (4 * data.length) / rows;
    return { size: maxBatch ?? Math.max(1, Math.min(64, Math.floor(CHUNK_BYTES / bytes))) };
  };
  const dispose = async (): Promise<void> => {};
  return {
    name,
    labels,
    preprocessing,
    output,
    fingerprint,
    runtime,
    warnings,
    classify: async (batch, { score = 'probability', ...run } = {}) =>
      runInBatches(batch.shape[0] ?? 0, classes, limitFor(batch), run, (from, to) =>
        scoresOf(options, rowsOf(batch, from, to), score, run.signal),
      ),
    async perturb(request) {
      const { input, perturbation, baseline, targets, score = 'probability', ...run } = request;
      checkRequest(request, input.shape.slice(1), classes);
      const count = countOf(perturbation);
      return runInBatches(count, targets.length, limitFor(input), run, async (from, to) => {
        const some = slicePerturbation(perturbation, from, to);
        const pictures = renderPerturbation(input, baseline, some);
        const all = await scoresOf(options, pictures, score, run.signal);
        return pickClasses(all, classes, targets);
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
