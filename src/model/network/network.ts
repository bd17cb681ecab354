import { isBackwardRules, plain } from '../../autodiff/index.ts';
import { FoveaError } from '../../errors.ts';
import type { RuntimeTensor, Session } from '../../runtime/runtime.ts';
import { sizeOf, type Tensor, tensor } from '../../tensor/tensor.ts';
import { type BatchLimit, forEachBatch, padBatch, rowsOf } from '../classifier/batches.ts';
import { type Classifier, SCORES } from '../classifier/sessions.ts';
import { checkGradients, checkScores } from '../function-model.ts';
import {
  type GradientRequest,
  type Gradients,
  INPUT,
  type ModelInside,
  type Replacements,
  type RunOptions,
} from '../model.ts';
import { attentionGraph, type FoundAttention, findAttentionMaps } from './attention-maps.ts';
import { findBiases } from './biases.ts';
import { type BuiltPart, buildPart, keyOf, type Part } from './part-graph.ts';
import { pathIntegral } from './path-integral.ts';
import { BuiltParts, checkTarget, limitOf, oneHot, type PartContext } from './run-part.ts';

type Built = Omit<BuiltPart, 'model'> & { readonly limit: BatchLimit };

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

  /** `merged`: the first axis of the output is that of the batch and the next one in one. */
  set(
    from: number,
    rows: number,
    output: RuntimeTensor,
    padded: number,
    name: string,
    merged: boolean,
  ): void {
    if (output.shape[0] !== padded && !(merged && output.shape[0] % padded === 0)) {
      throw new FoveaError(
        'unsupported',
        `the tensor "${name}" has the shape [${output.shape}] for ${padded} pictures: its first axis is not the batch`,
      );
    }
    this.shape = merged
      ? [output.shape[0] / padded, ...output.shape.slice(1)]
      : output.shape.slice(1);
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

function checkRequest(context: PartContext, { batch, targets }: GradientRequest): number[] {
  const [rows] = batch.shape;
  if (targets.length !== 1 && targets.length !== rows) {
    throw new FoveaError(
      'usage',
      `${targets.length} targets for ${rows} rows: expected one class for all, or one a row`,
    );
  }
  for (const target of targets) checkTarget(context, target);
  return targets.length === rows ? [...targets] : Array.from({ length: rows }, () => targets[0]);
}

interface Batches {
  readonly batch: Tensor;
  readonly targets: readonly number[];
  readonly options: RunOptions;
  readonly replace: Replacements;
  readonly reference?: Tensor;
  /** Outputs whose first axis is that of the batch and the next one in one. */
  readonly merged: ReadonlySet<string>;
  /** Filled, by the names of the outputs. */
  readonly outputs: Map<string, Rows>;
}

/** A row of a tensor that is fed, in bytes. */
const rowBytes = ({ shape }: Tensor): number => 4 * sizeOf(shape.slice(1));

/**
 * Values in the rank that the graph has: with the first two axes as one, if it has one axis less.
 */
function feedOf({ shape, data }: Tensor, rank: number | undefined): RuntimeTensor {
  const merged = rank === shape.length - 1;
  return {
    type: 'float32',
    shape: merged ? [shape[0] * shape[1], ...shape.slice(2)] : shape,
    data,
  };
}

async function runBatches(
  { input, output }: Classifier,
  session: Session,
  ready: Built,
  batches: Batches,
): Promise<void> {
  const { batch, targets, options, replace, reference, merged, outputs } = batches;
  const [total] = batch.shape;
  const { limit } = ready;
  const crossing = Object.values(replace).reduce(
    (sum, values) => sum + rowBytes(values),
    rowBytes(batch),
  );
  limit.size = Math.max(1, Math.min(limit.size, Math.floor(CROSSING_BYTES / crossing)));
  await forEachBatch(total, limit, options, async (from, to) => {
    const fed = padBatch(rowsOf(batch, from, to), input.fixedBatch);
    const feeds: Record<string, RuntimeTensor> = {
      [ready.input]: { type: 'float32', shape: fed.shape, data: fed.data },
    };
    for (const [name, values] of Object.entries(replace)) {
      const { input: fedInput = '', rank } = ready.replaced.get(name) ?? {};
      feeds[fedInput] = feedOf(padBatch(rowsOf(values, from, to), input.fixedBatch), rank);
    }
    if (ready.reference !== null && reference)
      feeds[ready.reference] = { type: 'float32', shape: reference.shape, data: reference.data };
    if (ready.cotangent !== null)
      feeds[ready.cotangent] = oneHot(targets.slice(from, to), fed.shape[0], output.classes ?? 0);
    for (const [name, value] of Object.entries(await session.run(feeds))) {
      if (!outputs.has(name)) outputs.set(name, new Rows(total));
      outputs.get(name)?.set(from, to - from, value, fed.shape[0], name, merged.has(name));
    }
  });
}

/** The attention maps of a classifier, found when they are first asked for. */
function attentionFinder({ model, input }: Classifier): () => readonly FoundAttention[] {
  let found: readonly FoundAttention[] | undefined;
  return () => {
    found ??= findAttentionMaps(attentionGraph(model), input);
    return found;
  };
}

/**
 * Finds tensors by their names: a node's name stands for its first output, and those of attention
 * may be of fused operators.
 */
function nameResolver({ model: { graph } }: Classifier): (wanted: string) => string {
  const tensors = new Set(graph.nodes.flatMap((node) => node.outputs));
  return (wanted) => {
    if (wanted === INPUT || tensors.has(wanted)) return wanted;
    return graph.nodes.find((node) => node.name === wanted)?.outputs[0] ?? wanted;
  };
}

/** A reference has one row, of the batch's own shape. */
function checkReference(
  isCompared: boolean,
  { rules, batch, reference }: Pick<Batches, 'batch' | 'reference'> & Pick<Part, 'rules'>,
): void {
  if (!isCompared) return;
  const wanted = [1, ...batch.shape.slice(1)];
  if (reference?.shape.join() === wanted.join()) return;
  throw new FoveaError(
    'usage',
    `${isBackwardRules(rules) ? rules.name : 'the backward pass'} compares with a reference [${wanted}], given ${reference ? `[${reference.shape}]` : 'none'}`,
  );
}

function checkReplacements(replace: Replacements, rows: number): void {
  for (const [name, { shape }] of Object.entries(replace)) {
    if (shape[0] !== rows)
      throw new FoveaError(
        'usage',
        `the values for "${name}" are [${shape}] for ${rows} rows: expected one for each`,
      );
  }
}

/** The calls of a `Model` that look into its network: tensors of it, and gradients by them. */
export function networkParts(
  context: PartContext,
): Pick<ModelInside, 'activations' | 'gradients' | 'pathIntegral' | 'attentionMaps' | 'biases'> {
  const { classifier, sessions, name } = context;
  const parts = new BuiltParts<Built>(name);
  const resolve = nameResolver(classifier);
  const attention = attentionFinder(classifier);
  const isMerged = (tensorName: string): boolean =>
    attention().some((map) => map.merged && map.name === tensorName);

  /** Runs a part on a batch; answers what was built and its outputs by name. */
  const run = async (
    part: Part,
    { batch, targets, options, replace, reference }: Omit<Batches, 'merged' | 'outputs'>,
  ): Promise<{ ready: Built; output: (name: string) => Tensor }> => {
    checkReplacements(replace, batch.shape[0]);
    const key = keyOf(part);
    const outputs = new Map<string, Rows>();
    await sessions.use(
      key,
      () =>
        parts.build(key, () => {
          const built = buildPart(classifier, part);
          return { ...built, limit: limitOf(context, built, part) };
        }),
      (session) => {
        const ready = parts.get(key);
        checkReference(ready.reference !== null, { rules: part.rules, batch, reference });
        const merged = new Set(
          [...ready.values, ...ready.gradients].flatMap(([tensorName, output]) =>
            isMerged(tensorName) ? [output] : [],
          ),
        );
        return runBatches(classifier, session, ready, {
          batch,
          targets,
          options,
          replace,
          reference,
          merged,
          outputs,
        });
      },
    );
    return {
      ready: parts.get(key),
      output: (outputName) => outputs.get(outputName)?.tensor() as Tensor,
    };
  };
  const resolveAll = (replace: Replacements): Replacements =>
    Object.fromEntries(Object.entries(replace).map(([key, values]) => [resolve(key), values]));

  return {
    pathIntegral: pathIntegral(context, resolve),
    biases: () => findBiases(classifier.model.graph, classifier.input.name),
    attentionMaps: () => attention().map(({ merged, ...map }) => map),
    activations: async (names, batch, { at, replace: given = {}, ...options } = {}) => {
      const read = names.map(resolve);
      const replace = resolveAll(given);
      const part: Part = {
        at: at === undefined ? null : resolve(at),
        replaced: Object.keys(replace),
        score: null,
        read,
        wrt: [],
        rules: plain,
      };
      const { ready, output } = await run(part, { batch, targets: [], options, replace });
      return read.map((tensorName) => output(ready.values.get(tensorName) as string));
    },
    gradients: async (request): Promise<Gradients> => {
      const {
        batch,
        score = 'logit',
        rules = plain,
        replace: given = {},
        reference,
        ...options
      } = request;
      const wrt = request.wrt.map(resolve);
      const replace = resolveAll(given);
      const at = request.at === undefined ? null : resolve(request.at);
      const targets = checkRequest(context, request);
      const read = wrt.filter((tensorName) => tensorName !== INPUT && !(tensorName in replace));
      const part: Part = { at, replaced: Object.keys(replace), score, read, wrt, rules };
      const { ready, output } = await run(part, { batch, targets, options, replace, reference });
      const { shape, data } = output(SCORES);
      checkScores(name, data);
      const gradients = wrt.map((tensorName) => output(ready.gradients.get(tensorName) as string));
      for (const gradient of gradients) checkGradients(name, gradient.data);
      return {
        scores: tensor(
          [batch.shape[0]],
          Float32Array.from(targets, (target, row) => data[row * shape[1] + target]),
        ),
        gradients,
        values: wrt.map((tensorName) => {
          if (tensorName === INPUT) return batch;
          return replace[tensorName] ?? output(ready.values.get(tensorName) as string);
        }),
      };
    },
  };
}
