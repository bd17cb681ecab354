import { loadPrepare, type Prepare } from '../autodiff/index.ts';
import { FoveaError } from '../errors.ts';
import {
  dataInputs,
  inferShapes,
  isOneFile,
  type OnnxModel,
  peakActivationBytes,
  readModel,
  withGraph,
} from '../onnx/index.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { sha256 } from '../sha256.ts';
import { sizeOf } from '../tensor/tensor.ts';
import { type BatchLimit, rowsOf, runInBatches } from './classifier/batches.ts';
import { type Classifier, findInput, findOutput } from './classifier/find-io.ts';
import { isUsual } from './classifier/is-usual.ts';
import { createScorer } from './classifier/scorer.ts';
import { SessionCache } from './classifier/sessions.ts';
import { settle } from './classifier/settle.ts';
import type { UsualForm } from './classifier/usual-form.ts';
import { bothLabels, chooseLabels } from './files/labels.ts';
import { IMAGENET_PREPROCESSING, type Preprocessing } from './input/preprocessing.ts';
import type { Model, ModelInside } from './model.ts';
import { networkInside } from './network/inside.ts';
import { type FindAttention, loadAttention } from './network/load-attention.ts';
import { preparationOf } from './network/prepared.ts';
import { choosePreprocessing } from './scores.ts';

/** An ONNX file, and facts about it from other files or from the caller. */
export interface OnnxModelSource {
  name: string;
  /** The model file. */
  bytes: Uint8Array;
  /** Contents of the files with weights outside the model file, by the names in the model file. */
  externalData?: ReadonlyMap<string, Uint8Array>;
  /** One label per class; class indices if left out, with a warning. */
  labels?: readonly string[];
  /** Missing values are ImageNet's; if mean and std are missing, there is a warning. */
  preprocessing?: Partial<Preprocessing>;
  /** What the scores are; needed only if Fovea detects it wrongly. */
  output?: 'logits' | 'probabilities';
  /**
   * Whether classes are independent, as in a multi-label model: each logit then has its own
   * sigmoid. By default only if the graph ends in sigmoids.
   */
  independent?: boolean;
  /** Warnings from reading the files beside the model. */
  warnings?: readonly string[];
  /** Bytes of activations a batch may hold; 128 MB by default. */
  memoryBudget?: number;
}

const MEMORY_BUDGET = 128 * 2 ** 20;
const LARGEST_BATCH = 32;
/** The runtime's scratch space, relative to the activations. */
const OVERHEAD = 1.5;

/**
 * Runs a function that reads a model; its errors get the name of the model. No runtime has checked
 * the graph yet, so an unexpected error means that a node of the graph lacks something.
 */
async function reading<Result>(
  { name }: OnnxModelSource,
  read: () => Promise<Result>,
): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FoveaError && error.code !== 'internal')
      throw new FoveaError(error.code, `${name}: ${error.message}`, { cause: error });
    throw new FoveaError(
      'model',
      `${name}: its graph is not well formed: a node lacks inputs, attributes or outputs`,
      { cause: error },
    );
  }
}

async function readSource({
  bytes,
  externalData = new Map(),
}: OnnxModelSource): Promise<OnnxModel> {
  const model = readModel(bytes);
  const attached = isOneFile(model.graph)
    ? model
    : (await import('../onnx/external-data.ts')).attachExternalData(model, externalData);
  return withGraph(attached, { ...attached.graph, inputs: dataInputs(attached.graph) });
}

async function inUsualForm(model: OnnxModel, size: readonly [number, number]): Promise<UsualForm> {
  if (isUsual(model)) return { model };
  const { usualForm } = await import('./classifier/usual-form.ts');
  return usualForm(model, size);
}

/** The picture input and the scores of a model, as far as its graph shows them. */
async function inspect(source: OnnxModelSource): Promise<Classifier & Pick<UsualForm, 'labels'>> {
  const size = source.preprocessing?.size ?? IMAGENET_PREPROCESSING.size;
  const { model, labels } = await inUsualForm(await readSource(source), size);
  const types = inferShapes(model.graph);
  const input = findInput(model.graph, size);
  const independent = source.independent ?? false;
  const found = { ...findOutput(model.graph, types), independent };
  const { name } = found;
  if (source.output === 'logits')
    return { model, types, input, labels, output: { ...found, logits: name, probabilities: null } };
  if (source.output === 'probabilities' && found.probabilities === null)
    return { model, types, input, labels, output: { ...found, logits: null, probabilities: name } };
  return { model, types, input, labels, output: found };
}

/**
 * Makes a classifier from an ONNX file, which `runtime` runs. Finds the picture input (NCHW or
 * NHWC, any float type or uint8, 1 or 3 channels), the scores, and whether they are logits or
 * probabilities. Makes a fixed batch dynamic if the graph allows it.
 * @throws FoveaError `model` if the file is damaged or is not an image classifier.
 */
export async function createOnnxModel(source: OnnxModelSource, runtime: Runtime): Promise<Model> {
  const { name, memoryBudget = MEMORY_BUDGET } = source;
  const found = await reading(source, () => inspect(source));
  const sessions = new SessionCache(runtime);
  const settling = settle(found, sessions, {
    name,
    runtime: runtime.name,
    outputIsGiven: source.output !== undefined || source.independent === true,
  });
  const [settled, prepare, findAttention] = await Promise.all([
    settling,
    loadPrepare(found.model),
    loadAttention(found.model),
  ]);
  const classifier = await bothClasses(settled, sessions);
  const warnings = [...(source.warnings ?? [])];
  const described = { ...source, labels: source.labels ?? found.labels };
  const takesPixels = await takesPixelsOf(source, found);
  const { others, name: taken } = settled.output;
  if (others)
    warnings.push(
      `${name}: it has several outputs; the scores of ${taken} are used, not ${others}`,
    );
  return onnxModel({
    classifier,
    prepare,
    findAttention,
    sessions,
    runtime,
    name,
    labels: chooseLabels(
      { ...described, labels: bothLabels(described.labels, settled.output.classes) },
      classifier.output.classes ?? 0,
      warnings,
    ),
    preprocessing: choosePreprocessing(described, { ...classifier.input, takesPixels }, warnings),
    warnings,
    fingerprint: await fingerprintOf(source),
    budget: memoryBudget,
  });
}

/** Makes two classes of a classifier with one score; returns any other classifier unchanged. */
async function bothClasses(classifier: Classifier, sessions: SessionCache): Promise<Classifier> {
  if (classifier.output.classes !== 1) return classifier;
  const { withTwoClasses } = await import('./classifier/two-classes.ts');
  await sessions.dispose(); // the sessions so far have one class
  return withTwoClasses(classifier);
}

/** Whether the model takes pixels of 0 to 255. Only needed if no file gives the preprocessing. */
async function takesPixelsOf(
  { preprocessing: { mean, std, scale } = {} }: OnnxModelSource,
  { model, input }: Classifier,
): Promise<boolean> {
  if (input.type === 'uint8') return true;
  if (mean !== undefined || std !== undefined || scale !== undefined) return false;
  const { rescalesPixels } = await import('./classifier/rescales-pixels.ts');
  return rescalesPixels(model.graph, input.name);
}

/** SHA-256 of the file, or of the hashes of all files if weights are in other files. */
async function fingerprintOf({ bytes, externalData }: OnnxModelSource): Promise<string> {
  const own = await sha256(bytes);
  if (!externalData || externalData.size === 0) return own;
  const files = [...externalData].sort(([a], [b]) => (a < b ? -1 : 1));
  const others = await Promise.all(
    files.map(async ([name, content]) => `${name} ${await sha256(content)}`),
  );
  return sha256(new TextEncoder().encode([own, ...others].join('\n')));
}

/** The parts of an ONNX model. */
interface OnnxModelParts
  extends Pick<Model, 'name' | 'labels' | 'preprocessing' | 'warnings' | 'fingerprint'> {
  readonly classifier: Classifier;
  readonly prepare: Prepare;
  readonly findAttention: FindAttention;
  readonly sessions: SessionCache;
  readonly runtime: Runtime;
  readonly budget: number;
}

function batchLimit({ model, types, input }: Classifier, budget: number): BatchLimit {
  if (input.fixedBatch !== null) return { size: input.fixedBatch };
  const picture = 4 * sizeOf([input.channels, input.height, input.width]);
  const bytes = OVERHEAD * peakActivationBytes(model.graph, types) + picture;
  return { size: Math.max(1, Math.min(LARGEST_BATCH, Math.floor(budget / bytes))) };
}

/** `Model.inside` of an ONNX model. */
function insideOf(parts: OnnxModelParts, limit: BatchLimit): ModelInside {
  const { classifier, prepare, findAttention, sessions, runtime, name, fingerprint, budget } =
    parts;
  const { model } = classifier;
  const prepared = preparationOf(classifier, prepare);
  const attention = findAttention(classifier, prepared);
  return {
    ...networkInside({ name, classifier, prepared, attention, sessions, limit, budget }),
    async randomized(layers, random) {
      const { withRandomWeights } = await import('./network/random-weights.ts');
      const graph = withRandomWeights(model.graph, layers, random);
      const draw = random.fork('fingerprint').integer(2 ** 32);
      return onnxModel({
        ...parts,
        classifier: { ...classifier, model: withGraph(model, graph) },
        sessions: new SessionCache(runtime),
        name: `${name}, ${layers.length} layers randomised`,
        fingerprint: `${fingerprint} randomised ${draw}`,
      });
    },
  };
}

function onnxModel(parts: OnnxModelParts): Model {
  const { classifier, sessions, runtime, name, labels, preprocessing, warnings, fingerprint } =
    parts;
  const { output } = classifier;
  const limit = batchLimit(classifier, parts.budget);
  const scorer = createScorer(name, classifier, sessions);
  const classes = labels.length;
  const dispose = (): Promise<void> => sessions.dispose();
  return {
    name,
    labels,
    preprocessing,
    output: output.probabilities === null ? 'logits' : 'probabilities',
    fingerprint,
    runtime: runtime.name,
    warnings,
    inside: insideOf(parts, limit),
    classify: (batch, { score = 'probability', ...run } = {}) =>
      runInBatches(batch.shape[0] ?? 0, classes, limit, run, (from, to) =>
        scorer.classify(rowsOf(batch, from, to), score),
      ),
    async perturb(request) {
      const { perturb } = await import('./classifier/perturb.ts');
      return perturb(scorer, limit, request);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
