import { inferShapes } from '../onnx/index.ts';
import type { RuntimeTensor } from '../runtime/runtime.ts';
import type { BatchLimit } from './batching.ts';
import type { BuiltPart, Part } from './classifier-parts.ts';
import type { Classifier, ClassifierSessions } from './classifier-sessions.ts';
import { peakActivationBytes } from './memory.ts';

/** What the graphs of a classifier's parts are run with. */
export interface PartContext {
  readonly classifier: Classifier;
  readonly sessions: ClassifierSessions;
  readonly name: string;
  /** Of the forward pass. */
  readonly limit: BatchLimit;
  readonly budget: number;
}

/** A backward pass holds all that the forward pass computed: it may take this many times the budget. */
const BACKWARD_BUDGET = 4;
const LARGEST_BATCH = 32;

/** The most rows that one call of a part's session may hold. */
export function limitOf({ classifier, limit, budget }: PartContext, { model }: Pick<BuiltPart, 'model'>, part: Pick<Part, 'at' | 'wrt'>): BatchLimit {
  if (classifier.input.fixedBatch !== null) return { size: classifier.input.fixedBatch };
  if (part.at === null && part.wrt.length === 0) return limit;
  const bytes = peakActivationBytes(model.graph, inferShapes(model.graph)) + 1;
  const most = part.at === null ? LARGEST_BATCH : 4 * LARGEST_BATCH;
  return { size: Math.max(1, Math.min(most, Math.floor(((part.wrt.length > 0 ? BACKWARD_BUDGET : 1) * budget) / bytes))) };
}

/** The weights with which the scores [n, classes] are summed: 1 at each row's class. */
export function oneHot(targets: readonly number[], rows: number, classes: number): RuntimeTensor {
  const data = new Float32Array(rows * classes);
  targets.forEach((target, row) => {
    data[row * classes + target] = 1;
  });
  return { type: 'float32', shape: [rows, classes], data };
}
