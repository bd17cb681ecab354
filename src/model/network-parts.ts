import { FoveaError } from '../errors.ts';
import { inferShapes, type OnnxModel } from '../onnx/index.ts';
import type { RuntimeTensor, Session } from '../runtime/runtime.ts';
import { sizeOf, type Tensor, tensor } from '../tensor/tensor.ts';
import { type BatchLimit, forEachBatch, padBatch, rowsOf } from './batching.ts';
import { type BuiltPart, buildPart, explainRefusal, type Part } from './classifier-parts.ts';
import { type Classifier, type ClassifierSessions, SCORES } from './classifier-sessions.ts';
import { checkScores } from './function-model.ts';
import { peakActivationBytes } from './memory.ts';
import { type GradientRequest, type Gradients, INPUT, type Model, type RunOptions } from './model.ts';

interface Context {
  readonly classifier: Classifier;
  readonly sessions: ClassifierSessions;
  readonly name: string;
  /** Of the forward pass. */
  readonly limit: BatchLimit;
  readonly budget: number;
}

type Built = Omit<BuiltPart, 'model'> & { readonly limit: BatchLimit };

/** A backward pass holds all that the forward pass computed: it may take this many times the budget. */
const BACKWARD_BUDGET = 4;
const LARGEST_BATCH = 32;
/** Inputs and outputs that cross into and out of a session, in bytes a call. */
const CROSSING_BYTES = 64 * 2 ** 20;

/** Tensors [n, …] that are put together from batches. */
class Rows {
  private data: Float32Array | undefined;
  private shape: readonly number[] = [];
  private readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  set(from: number, rows: number, output: RuntimeTensor, padded: number, name: string): void {
    if (output.shape[0] !== padded) {
      throw new FoveaError('unsupported', `the tensor "${name}" has the shape [${output.shape}] for ${padded} pictures: its first axis is not the batch`);
    }
    this.shape = output.shape.slice(1);
    const size = sizeOf(this.shape);
    if (rows === this.total && padded === rows) {
      this.data = output.data as Float32Array; // one batch is the whole
      return;
    }
    this.data ??= new Float32Array(this.total * size);
    this.data.set((output.data as Float32Array).subarray(0, rows * size), from * size);
  }

  tensor(): Tensor {
    return tensor([this.total, ...this.shape], this.data ?? new Float32Array(0));
  }
}

function limitOf({ classifier, limit, budget }: Context, { model }: BuiltPart, part: Part): BatchLimit {
  if (classifier.input.fixedBatch !== null) return { size: classifier.input.fixedBatch };
  if (part.at === null && part.wrt.length === 0) return limit;
  const bytes = peakActivationBytes(model.graph, inferShapes(model.graph)) + 1;
  const most = part.at === null ? LARGEST_BATCH : 4 * LARGEST_BATCH;
  return { size: Math.max(1, Math.min(most, Math.floor(((part.wrt.length > 0 ? BACKWARD_BUDGET : 1) * budget) / bytes))) };
}

/** The weights with which the scores [n, classes] are summed: 1 at each row's class. */
function oneHot(targets: readonly number[], rows: number, classes: number): RuntimeTensor {
  const data = new Float32Array(rows * classes);
  targets.forEach((target, row) => {
    data[row * classes + target] = 1;
  });
  return { type: 'float32', shape: [rows, classes], data };
}

function checkRequest({ classifier }: Context, { batch, targets }: GradientRequest): number[] {
  const classes = classifier.output.classes ?? 0;
  const [rows] = batch.shape;
  if (targets.length !== 1 && targets.length !== rows) {
    throw new FoveaError('usage', `${targets.length} targets for ${rows} rows: expected one class for all, or one a row`);
  }
  for (const target of targets) {
    if (!(Number.isInteger(target) && target >= 0 && target < classes)) throw new FoveaError('usage', `target ${target}: expected 0 to ${classes - 1}`);
  }
  return targets.length === rows ? [...targets] : Array.from({ length: rows }, () => targets[0]);
}

interface Batches {
  readonly batch: Tensor;
  readonly targets: readonly number[];
  readonly options: RunOptions;
  /** Filled, by the names of the outputs. */
  readonly outputs: Map<string, Rows>;
}

async function runBatches({ input, output }: Classifier, session: Session, ready: Built, { batch, targets, options, outputs }: Batches): Promise<void> {
  const [total] = batch.shape;
  const { limit } = ready;
  limit.size = Math.max(1, Math.min(limit.size, Math.floor(CROSSING_BYTES / (4 * sizeOf(batch.shape.slice(1))))));
  await forEachBatch(total, limit, options, async (from, to) => {
    const fed = padBatch(rowsOf(batch, from, to), input.fixedBatch);
    const feeds: Record<string, RuntimeTensor> = { [ready.input]: { type: 'float32', shape: fed.shape, data: fed.data } };
    if (ready.cotangent !== null) feeds[ready.cotangent] = oneHot(targets.slice(from, to), fed.shape[0], output.classes ?? 0);
    for (const [name, value] of Object.entries(await session.run(feeds))) {
      if (!outputs.has(name)) outputs.set(name, new Rows(total));
      outputs.get(name)?.set(from, to - from, value, fed.shape[0], name);
    }
  });
}

/** The calls of a `Model` that look into its network: tensors of it, and gradients by them. */
export function networkParts(context: Context): Required<Pick<Model, 'activations' | 'gradients'>> {
  const { classifier, sessions, name } = context;
  const built = new Map<string, Built>();
  const tensors = new Set(classifier.model.graph.nodes.flatMap((node) => node.outputs));
  /** A node's name stands for its first output. */
  const resolve = (wanted: string): string => {
    if (wanted === INPUT || tensors.has(wanted)) return wanted;
    return classifier.model.graph.nodes.find((node) => node.name === wanted)?.outputs[0] ?? wanted;
  };

  const build = (key: string, part: Part): OnnxModel => {
    try {
      const { model, ...rest } = buildPart(classifier, part);
      if (!built.has(key)) built.set(key, { ...rest, limit: limitOf(context, { model, ...rest }, part) });
      return model;
    } catch (error) {
      throw explainRefusal(error, name);
    }
  };

  /** Runs a part on a batch; answers what was built and its outputs by name. */
  const run = async (
    part: Part,
    batch: Tensor,
    targets: readonly number[],
    options: RunOptions,
  ): Promise<{ ready: Built; output: (name: string) => Tensor }> => {
    const key = JSON.stringify(part);
    const outputs = new Map<string, Rows>();
    await sessions.use(
      key,
      () => build(key, part),
      (session) => runBatches(classifier, session, built.get(key) as Built, { batch, targets, options, outputs }),
    );
    return { ready: built.get(key) as Built, output: (outputName) => outputs.get(outputName)?.tensor() as Tensor };
  };

  return {
    activations: async (names, batch, { at, ...options } = {}) => {
      const read = names.map(resolve);
      const part: Part = { at: at === undefined ? null : resolve(at), score: null, read, wrt: [], rules: 'plain' };
      const { ready, output } = await run(part, batch, [], options);
      return read.map((tensorName) => output(ready.values.get(tensorName) as string));
    },
    gradients: async (request): Promise<Gradients> => {
      const { batch, score = 'logit', rules = 'plain', ...options } = request;
      const wrt = request.wrt.map(resolve);
      const at = request.at === undefined ? null : resolve(request.at);
      const targets = checkRequest(context, request);
      const part: Part = { at, score, read: wrt.filter((tensorName) => tensorName !== INPUT), wrt, rules };
      const { ready, output } = await run(part, batch, targets, options);
      const { shape, data } = output(SCORES);
      checkScores(name, data);
      return {
        scores: tensor(
          [batch.shape[0]],
          Float32Array.from(targets, (target, row) => data[row * shape[1] + target]),
        ),
        gradients: wrt.map((tensorName) => output(ready.gradients.get(tensorName) as string)),
        values: wrt.map((tensorName) => (tensorName === INPUT ? batch : output(ready.values.get(tensorName) as string))),
      };
    },
  };
}
