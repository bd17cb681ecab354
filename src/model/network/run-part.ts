import { FoveaError } from '../../errors.ts';
import { inferShapes, type OnnxModel } from '../../onnx/index.ts';
import { peakActivationBytes } from '../../onnx/peak-memory.ts';
import type { RuntimeTensor } from '../../runtime/runtime.ts';
import type { BatchLimit } from '../classifier/batches.ts';
import type { Classifier, ClassifierSessions } from '../classifier/sessions.ts';
import { type BuiltPart, explainRefusal, type Part } from './part-graph.ts';

/** What the graphs of a classifier's parts are run with. */
export interface PartContext {
  readonly classifier: Classifier;
  readonly sessions: ClassifierSessions;
  readonly name: string;
  /** Of the forward pass. */
  readonly limit: BatchLimit;
  readonly budget: number;
}

/**
 * A backward pass holds all that the forward pass computed: it may take this many times the budget.
 */
const BACKWARD_BUDGET = 4;
const LARGEST_BATCH = 32;

/** The most rows that one call of a part's session may hold. */
export function limitOf(
  { classifier, limit, budget }: PartContext,
  { model }: Pick<BuiltPart, 'model'>,
  part: Pick<Part, 'at' | 'wrt'>,
): BatchLimit {
  if (classifier.input.fixedBatch !== null) return { size: classifier.input.fixedBatch };
  if (part.at === null && part.wrt.length === 0) return limit;
  const bytes = peakActivationBytes(model.graph, inferShapes(model.graph)) + 1;
  const most = part.at === null ? LARGEST_BATCH : 4 * LARGEST_BATCH;
  return {
    size: Math.max(
      1,
      Math.min(most, Math.floor(((part.wrt.length > 0 ? BACKWARD_BUDGET : 1) * budget) / bytes)),
    ),
  };
}

/** @throws FoveaError `usage` for a target that is no class of the model. */
export function checkTarget({ classifier }: PartContext, target: number): void {
  const classes = classifier.output.classes ?? 0;
  if (!(Number.isInteger(target) && target >= 0 && target < classes))
    throw new FoveaError('usage', `target ${target}: expected 0 to ${classes - 1}`);
}

/**
 * What is known of the graphs of parts that were built. It outlives their sessions, which may have
 * to make room and are built again.
 */
export class BuiltParts<Built> {
  private readonly built = new Map<string, Built>();
  private readonly name: string;

  /** `name`: of the model, for errors. */
  constructor(name: string) {
    this.name = name;
  }

  /**
   * Builds a part's graph; what is known of it stays as the first time had it, with its batch
   * limit.
   */
  build(key: string, make: () => Built & { readonly model: OnnxModel }): OnnxModel {
    try {
      const { model, ...rest } = make();
      if (!this.built.has(key)) this.built.set(key, rest as unknown as Built);
      return model;
    } catch (error) {
      throw explainRefusal(error, this.name);
    }
  }

  get(key: string): Built {
    return this.built.get(key) as Built;
  }
}

/** The weights with which the scores [n, classes] are summed: 1 at each row's class. */
export function oneHot(targets: readonly number[], rows: number, classes: number): RuntimeTensor {
  const data = new Float32Array(rows * classes);
  targets.forEach((target, row) => {
    data[row * classes + target] = 1;
  });
  return { type: 'float32', shape: [rows, classes], data };
}
