import { isBackwardRules } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import { inferShapes, type OnnxModel, peakActivationBytes } from '../../onnx/index.ts';
import type { RuntimeTensor, Session } from '../../runtime/runtime.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import { type BatchLimit, forEachBatch, padBatch, rowsOf } from '../classifier/batches.ts';
import type { Classifier } from '../classifier/find-io.ts';
import type { BuiltGraph, SessionCache } from '../classifier/sessions.ts';
import {
  INPUT,
  type Replacements,
  type RunOptions,
  type TargetScore,
  type WeightedClass,
} from '../model.ts';
import type { AttentionFinder } from './attention-maps.ts';
import { buildPart, keyOf, type Part, type PartNames } from './part-graph.ts';
import type { Preparation } from './prepared.ts';

/** Everything that is needed to build and run the parts of a classifier. */
export interface PartContext {
  /** The model's name, for errors. */
  readonly name: string;
  readonly classifier: Classifier;
  readonly prepared: Preparation;
  readonly attention: AttentionFinder;
  readonly sessions: SessionCache;
  /** The batch limit of the forward pass. */
  readonly limit: BatchLimit;
  /** Bytes of activations that a batch may hold. */
  readonly budget: number;
}

/** Facts about a part's graph. */
export interface PartInfo extends PartNames {
  /** The most rows per call of its session. Other parts have their own limit. */
  readonly limit: BatchLimit;
  /** Outputs in whose first axis batch and heads (or windows) are joined. */
  readonly merged: ReadonlySet<string>;
}

/**
 * A backward pass keeps everything that the forward pass computed, so it may use this many times
 * the budget.
 */
const BACKWARD_BUDGET = 4;
const LARGEST_BATCH = 32;

/** The most bytes of inputs that are copied into a session per call. */
const CROSSING_BYTES = 64 * 2 ** 20;

/** The most rows per call of a part's session. */
export function limitOf(
  { classifier, limit, budget }: PartContext,
  { graph }: OnnxModel,
  { at, wrt }: Pick<Part, 'at' | 'wrt'>,
): BatchLimit {
  if (classifier.input.fixedBatch !== null) return { size: classifier.input.fixedBatch };
  if (at === null && wrt.length === 0) return { ...limit };
  const bytes = peakActivationBytes(graph, inferShapes(graph)) + 1;
  const most = at === null ? LARGEST_BATCH : 4 * LARGEST_BATCH;
  const allowed = (wrt.length > 0 ? BACKWARD_BUDGET : 1) * budget;
  return { size: Math.max(1, Math.min(most, Math.floor(allowed / bytes))) };
}

/** The classes of a target with their weights: one class has the weight 1. */
export const weightedClasses = (target: TargetScore): readonly WeightedClass[] =>
  typeof target === 'number' ? [{ index: target, weight: 1 }] : target;

/** @throws FoveaError `usage` for a target that names no class of the model. */
export function checkTarget({ classifier }: PartContext, target: TargetScore): void {
  const classes = classifier.output.classes ?? 0;
  for (const { index } of weightedClasses(target)) {
    if (!(Number.isInteger(index) && index >= 0 && index < classes))
      throw new FoveaError('usage', `target ${index}: expected 0 to ${classes - 1}`);
  }
}

/**
 * The weights with which the scores [n, classes] are summed: 1 at each row's class, or the weights
 * of its classes.
 */
export function scoreWeights(
  targets: readonly TargetScore[],
  rows: number,
  classes: number,
): RuntimeTensor {
  const data = new Float32Array(rows * classes);
  targets.forEach((target, row) => {
    for (const { index, weight } of weightedClasses(target)) data[row * classes + index] = weight;
  });
  return { type: 'float32', shape: [rows, classes], data };
}

/** Runs a function that builds a graph. Its errors get the name of the model, and advice. */
export async function building<Result>(
  name: string,
  build: () => Promise<Result>,
): Promise<Result> {
  try {
    return await build();
  } catch (error) {
    if (!(error instanceof FoveaError) || error.code === 'internal') throw error;
    const advice =
      error.code === 'unsupported' && /differentiated|gradient/.test(error.message)
        ? '; methods that need no gradients still work'
        : '';
    throw new FoveaError(error.code, `${name}: ${error.message}${advice}`, { cause: error });
  }
}

/** The tensor of a name. The name of a node means its first output; `INPUT` stays `INPUT`. */
export function resolveName({ model: { graph } }: Classifier, wanted: string): string {
  if (wanted === INPUT || graph.nodes.some(({ outputs }) => outputs.includes(wanted)))
    return wanted;
  return graph.nodes.find(({ name }) => name === wanted)?.outputs[0] ?? wanted;
}

/** `resolveName` for the names of replacements. */
export function resolveNames(classifier: Classifier, replace: Replacements): Replacements {
  return Object.fromEntries(
    Object.entries(replace).map(([name, values]) => [resolveName(classifier, name), values]),
  );
}

/** A tensor [n, …] that is joined from batches. */
class Rows {
  private data: Float32Array | undefined;
  private shape: readonly number[] = [];
  private readonly total: number;

  constructor(total: number) {
    this.total = total;
  }

  /**
   * Copies the first `rows` rows of an output, which has `padded` rows, to the rows after `from`.
   */
  set(
    { from, rows, padded }: { from: number; rows: number; padded: number },
    output: RuntimeTensor,
    name: string,
    isMerged: boolean,
  ): void {
    const [first = 0, ...rest] = output.shape;
    if (first !== padded && !(isMerged && first % padded === 0)) {
      throw new FoveaError(
        'unsupported',
        `the tensor "${name}" has the shape [${output.shape}] for ${padded} pictures: its ` +
          'first axis is not the batch',
      );
    }
    this.shape = isMerged ? [first / padded, ...rest] : rest;
    const values = output.data as Float32Array;
    if (rows === this.total && padded === rows) {
      this.data = values; // one batch is the whole
      return;
    }
    const size = sizeOf(this.shape);
    this.data ??= new Float32Array(this.total * size);
    this.data.set(values.subarray(0, rows * size), from * size);
  }

  tensor(): Tensor {
    return tensor([this.total, ...this.shape], this.data ?? new Float32Array(0));
  }
}

/** The inputs of a part. */
export interface PartFeeds {
  /** Pictures, or values of the tensor `at`, [n, …]. */
  readonly batch: Tensor;
  /** The class of each row, for a backward pass. */
  readonly targets?: readonly TargetScore[];
  readonly replace: Replacements;
  /** The reference that the batch is compared with, [1, …]. */
  readonly reference?: Tensor;
  readonly options: RunOptions;
}

/** The outputs of a part. */
export interface PartResult {
  readonly info: PartInfo;
  /** An output by its name. */
  output(name: string | undefined): Tensor;
}

/** Bytes of one row of a tensor. */
const rowBytes = ({ shape }: Tensor): number => 4 * sizeOf(shape.slice(1));

/**
 * Values with the rank that the graph expects: if it has one axis less, the first two axes are
 * joined.
 */
function feedOf({ shape, data }: Tensor, rank: number | undefined = shape.length): RuntimeTensor {
  const [first = 1, second = 1, ...rest] = shape;
  const isMerged = rank === shape.length - 1;
  return { type: 'float32', shape: isMerged ? [first * second, ...rest] : shape, data };
}

function checkFeeds(part: Part, { reference: input }: PartInfo, feeds: PartFeeds): void {
  const { batch, replace, reference } = feeds;
  const [rows = 0, ...rest] = batch.shape;
  for (const [name, { shape }] of Object.entries(replace)) {
    if (shape[0] !== rows)
      throw new FoveaError(
        'usage',
        `the values for "${name}" are [${shape}] for ${rows} rows: expected one for each`,
      );
  }
  const wanted = [1, ...rest];
  if (input === null || reference?.shape.join() === wanted.join()) return;
  const rules = isBackwardRules(part.rules) ? part.rules.name : 'the backward pass';
  throw new FoveaError(
    'usage',
    `${rules} compares with a reference [${wanted}], ` +
      `given ${reference ? `[${reference.shape}]` : 'none'}`,
  );
}

/** The inputs of a session for the rows `from` … `to` - 1. */
function feedsOf(
  { input, output }: Classifier,
  info: PartInfo,
  { batch, targets = [], replace, reference }: PartFeeds,
  [from, to]: readonly [number, number],
): Record<string, RuntimeTensor> {
  const cut = (values: Tensor): Tensor => padBatch(rowsOf(values, from, to), input.fixedBatch);
  const fed = cut(batch);
  const feeds: Record<string, RuntimeTensor> = { [info.input]: feedOf(fed) };
  for (const [name, values] of Object.entries(replace)) {
    const { input: fedInput = '', rank } = info.replaced.get(name) ?? {};
    feeds[fedInput] = feedOf(cut(values), rank);
  }
  if (info.reference !== null && reference) feeds[info.reference] = feedOf(reference);
  const [rows = 0] = fed.shape;
  if (info.cotangent !== null)
    feeds[info.cotangent] = scoreWeights(targets.slice(from, to), rows, output.classes ?? 0);
  return feeds;
}

async function runBatches(
  classifier: Classifier,
  session: Session,
  info: PartInfo,
  feeds: PartFeeds,
): Promise<Map<string, Rows>> {
  const { batch, replace, options } = feeds;
  const [total = 0] = batch.shape;
  const crossing = [batch, ...Object.values(replace)].reduce((sum, x) => sum + rowBytes(x), 0);
  const most = Math.max(1, Math.floor(CROSSING_BYTES / crossing));
  const outputs = new Map<string, Rows>();
  await forEachBatch(
    total,
    info.limit,
    options,
    async (from, to) => {
      const fed = feedsOf(classifier, info, feeds, [from, to]);
      const padded = fed[info.input]?.shape[0] ?? 0;
      for (const [name, value] of Object.entries(await session.run(fed))) {
        const rows = outputs.get(name) ?? new Rows(total);
        outputs.set(name, rows);
        rows.set({ from, rows: to - from, padded }, value, name, info.merged.has(name));
      }
    },
    most,
  );
  return outputs;
}

/** Builds a part's graph, and the facts about it. */
function buildPartGraph(context: PartContext, part: Part): Promise<BuiltGraph<PartInfo>> {
  const { name, classifier, prepared, attention } = context;
  return building(name, async () => {
    const { model, ...names } = await buildPart(classifier, prepared, part);
    const outputs = [...names.values, ...names.gradients];
    const merged = outputs.flatMap(([read, output]) => (attention.isMerged(read) ? [output] : []));
    const limit = limitOf(context, model, part);
    return { model, info: { ...names, limit, merged: new Set(merged) } };
  });
}

/**
 * Runs a part of the network on a batch, in as many session calls as the limit requires.
 * @throws FoveaError `usage` if a shape does not fit, and as `buildPart` does.
 */
export function runPart(context: PartContext, part: Part, feeds: PartFeeds): Promise<PartResult> {
  return context.sessions.use(
    `part ${keyOf(part)}`,
    () => buildPartGraph(context, part),
    async (session, info: PartInfo) => {
      checkFeeds(part, info, feeds);
      const outputs = await runBatches(context.classifier, session, info, feeds);
      return {
        info,
        output(name = '') {
          const rows = outputs.get(name);
          if (!rows) throw new FoveaError('internal', `the network returned no "${name}"`);
          return rows.tensor();
        },
      };
    },
  );
}
