import { FoveaError } from '../errors.ts';
import { softmax, type Tensor, tensor } from '../tensor/tensor.ts';
import { type BatchLimit, runInBatches } from './classifier/batches.ts';
import type { Preprocessing } from './input/preprocessing.ts';
import type { Model, ScoreKind } from './model.ts';
import { checkRequest, countOf, renderPerturbation, slicePerturbation } from './perturbation.ts';

/**
 * A classifier that is just a function: an HTTP endpoint, a model of another runtime, a formula.
 */
export interface FunctionModelOptions {
  name: string;
  labels: readonly string[];
  preprocessing: Preprocessing;
  /** What `classify` answers. */
  output: 'logits' | 'probabilities';
  /** [n, C, H, W] -> [n, classes]. Must treat each picture by itself. */
  classify: (batch: Tensor, signal?: AbortSignal) => Promise<Tensor>;
  /** Names the function in manifests; the model's name by default. */
  fingerprint?: string;
  runtime?: string;
  warnings?: readonly string[];
  /** Most pictures a call; by default what 64 MB of input hold, at most 64. */
  maxBatch?: number;
}

const CHUNK_BYTES = 64 * 2 ** 20;

/** Throws if a model's answer has NaN or infinite values. */
export function checkScores(name: string, scores: Float32Array): void {
  if (scores.every(Number.isFinite)) return;
  throw new FoveaError(
    'model',
    `${name} answered NaN or infinite scores: check the model and its preprocessing (mean, std, scale)`,
  );
}

/**
 * Throws if a network's gradients have NaN or infinite values: some operators have no slope
 * everywhere, as the root of 0.
 */
export function checkGradients(name: string, gradients: Float32Array): void {
  if (gradients.every(Number.isFinite)) return;
  throw new FoveaError(
    'model',
    `${name} has NaN or infinite gradients for this picture, as where a square root or a logarithm of 0 is taken: use a method that asks for scores only, such as iassa, rise or occlusion`,
  );
}

/** The probability of each class: softmax, or a sigmoid where there is one logit only. */
function toProbabilities(logits: Float32Array): Float32Array {
  return logits.length === 1 ? logits.map((x) => 1 / (1 + Math.exp(-x))) : softmax(logits);
}

/**
 * Wraps a function as a `Model`: black-box methods work on it, with masking done in JavaScript, in
 * chunks.
 */
export function createFunctionModel(options: FunctionModelOptions): Model {
  const classes = options.labels.length;
  const limitFor = (input: Tensor): BatchLimit => {
    const bytes = (4 * input.data.length) / input.shape[0];
    return { size: options.maxBatch ?? Math.max(1, Math.min(64, Math.floor(CHUNK_BYTES / bytes))) };
  };

  async function scores(
    batch: Tensor,
    kind: ScoreKind,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const answer = await options.classify(batch, signal);
    if (
      answer.shape.length !== 2 ||
      answer.shape[0] !== batch.shape[0] ||
      answer.shape[1] !== classes
    ) {
      throw new FoveaError(
        'model',
        `${options.name} answered [${answer.shape}] for ${batch.shape[0]} pictures: expected [${batch.shape[0]}, ${classes}]`,
      );
    }
    checkScores(options.name, answer.data);
    if (kind === 'logit' && options.output === 'probabilities') {
      throw new FoveaError(
        'unsupported',
        `${options.name} answers probabilities, so its logits are unknown: ask for probabilities`,
      );
    }
    if (kind === 'logit' || options.output === 'probabilities') return answer.data;
    const result = new Float32Array(answer.data.length);
    for (let i = 0; i < result.length; i += classes)
      result.set(toProbabilities(answer.data.subarray(i, i + classes)), i);
    return result;
  }

  return {
    name: options.name,
    labels: options.labels,
    preprocessing: options.preprocessing,
    output: options.output,
    fingerprint: options.fingerprint ?? options.name,
    runtime: options.runtime ?? 'function',
    warnings: options.warnings ?? [],
    classify: async (batch, { score = 'probability', ...run } = {}) => {
      const size = batch.data.length / batch.shape[0];
      return runInBatches(batch.shape[0], classes, limitFor(batch), run, (from, to) =>
        scores(
          tensor([to - from, ...batch.shape.slice(1)], batch.data.subarray(from * size, to * size)),
          score,
          run.signal,
        ),
      );
    },
    perturb: async ({ input, perturbation, baseline, targets, score = 'probability', ...run }) => {
      checkRequest({ input, baseline, perturbation, targets }, input.shape.slice(1), classes);
      return runInBatches(
        countOf(perturbation),
        targets.length,
        limitFor(input),
        run,
        async (from, to) => {
          const all = await scores(
            renderPerturbation(input, baseline, slicePerturbation(perturbation, from, to)),
            score,
            run.signal,
          );
          return Float32Array.from(
            { length: (to - from) * targets.length },
            (_, i) => all[Math.floor(i / targets.length) * classes + targets[i % targets.length]],
          );
        },
      );
    },
    dispose: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
