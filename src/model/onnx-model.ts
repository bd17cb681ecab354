import { FoveaError, messageOf } from '../errors.ts';
import { withDynamicBatch } from '../onnx/dynamic-batch.ts';
import {
  attachExternalData,
  dataInputs,
  inferShapes,
  type OnnxModel,
  readModel,
  withGraph,
} from '../onnx/index.ts';
import { peakActivationBytes } from '../onnx/peak-memory.ts';
import type { Runtime, RuntimeTensor, Session } from '../runtime/runtime.ts';
import { sha256 } from '../sha256.ts';
import { createRandom } from '../tensor/random.ts';
import { sizeOf, type Tensor, tensor } from '../tensor/tensor.ts';
import { type BatchLimit, padBatch, rowsOf, runInBatches } from './classifier/batches.ts';
import { type ClassifierInput, findInput, findOutput } from './classifier/find-io.ts';
import {
  batchFeeds,
  OLDEST_STAGE_OPSET,
  perturbationFeeds,
  type Stage,
} from './classifier/input-stage.ts';
import { explainRefusal } from './classifier/load-error.ts';
import {
  type Classifier,
  ClassifierSessions,
  SCORES,
  TARGETS,
  type Tail,
} from './classifier/sessions.ts';
import { checkScores } from './function-model.ts';
import { channelsOf, IMAGENET_PREPROCESSING, type Preprocessing } from './input/preprocessing.ts';
import type { FeatureMap, Model, PerturbRequest, ScoreKind } from './model.ts';
import { findFeatureMaps } from './network/feature-maps.ts';
import { networkParts } from './network/network.ts';
import { weightLayersOf, withRandomWeights } from './network/weights.ts';
import {
  checkRequest,
  countOf,
  type Perturbation,
  renderPerturbation,
  slicePerturbation,
} from './perturbation.ts';

/** An ONNX file and what is known about it. */
export interface OnnxModelSource {
  name: string;
  /** The model file. */
  bytes: Uint8Array;
  /**
   * Contents of the files that hold weights outside the model file, by the name the model gives
   * them.
   */
  externalData?: ReadonlyMap<string, Uint8Array>;
  /** One label a class; class indices if left out, with a warning. */
  labels?: readonly string[];
  /** What is left out is ImageNet's usual preprocessing, with a warning if all of it is. */
  preprocessing?: Partial<Preprocessing>;
  /** What the scores are, where detection is wrong. */
  output?: 'logits' | 'probabilities';
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
 * The same preprocessing at the size that the graph takes. A configuration may be written for
 * another size; the share of the picture that a crop keeps stays what it says.
 */
function fitToInput(
  preprocessing: Preprocessing,
  { height, width }: ClassifierInput,
  { name, preprocessing: given }: OnnxModelSource,
  warnings: string[],
): Preprocessing {
  const { size, shorterSide, stretchedSize } = preprocessing;
  if (given?.size && (size[0] !== height || size[1] !== width)) {
    warnings.push(
      `${name}: its preprocessing is written for ${size[0]}×${size[1]}, but the graph takes ${height}×${width}: pictures are prepared for the graph`,
    );
  }
  const [down, across] = given?.size ? [height / size[0], width / size[1]] : [1, 1];
  return {
    ...preprocessing,
    size: [height, width],
    ...(shorterSide === undefined
      ? {}
      : { shorterSide: Math.round(shorterSide * Math.min(down, across)) }),
    ...(stretchedSize === undefined
      ? {}
      : {
          stretchedSize: [
            Math.round(stretchedSize[0] * down),
            Math.round(stretchedSize[1] * across),
          ],
        }),
  };
}

function choosePreprocessing(
  source: OnnxModelSource,
  input: ClassifierInput,
  warnings: string[],
): Preprocessing {
  const given = source.preprocessing ?? {};
  const grey: Partial<Preprocessing> =
    input.channels === 1 ? { colour: 'grey', mean: [0.5], std: [0.5] } : {};
  const defaults: Preprocessing = { ...IMAGENET_PREPROCESSING, ...grey };
  // How pictures are resized says nothing of how they are normalised.
  if (given.mean === undefined && given.std === undefined) {
    const how = `mean ${defaults.mean}, std ${defaults.std}, ${defaults.colour} in 0-1, resized to ${input.height}×${input.width}`;
    warnings.push(
      `${source.name}: no mean and std are given beside the model, so the usual preprocessing is assumed (${how})`,
    );
  }
  const chosen = fitToInput({ ...defaults, ...given }, input, source, warnings);
  if (channelsOf(chosen) !== input.channels) {
    throw new FoveaError(
      'model',
      `${source.name} takes ${input.channels} channels, its preprocessing makes ${channelsOf(chosen)} (colour ${chosen.colour})`,
    );
  }
  return chosen;
}

function chooseLabels(
  source: OnnxModelSource,
  classes: number,
  warnings: string[],
): readonly string[] {
  if (!source.labels) {
    warnings.push(
      `${source.name}: no labels are given beside the model, so classes are named by their index`,
    );
    return Array.from({ length: classes }, (_, i) => String(i));
  }
  if (source.labels.length !== classes) {
    throw new FoveaError(
      'model',
      `${source.name} has ${classes} classes, but ${source.labels.length} labels are given: expected one label a class`,
    );
  }
  return source.labels;
}

function readSource(source: OnnxModelSource): OnnxModel {
  try {
    const model = readModel(source.bytes);
    const attached = attachExternalData(model, source.externalData ?? new Map());
    return withGraph(attached, { ...attached.graph, inputs: dataInputs(attached.graph) });
  } catch (error) {
    if (error instanceof FoveaError)
      throw new FoveaError(error.code, `${source.name}: ${error.message}`, { cause: error });
    throw error;
  }
}

function inspect(source: OnnxModelSource, model: OnnxModel): Classifier {
  try {
    const types = inferShapes(model.graph);
    const input = findInput(model.graph, source.preprocessing?.size ?? IMAGENET_PREPROCESSING.size);
    const found = findOutput(model.graph, types);
    if (source.output === 'logits')
      return { model, types, input, output: { ...found, logits: found.name, probabilities: null } };
    if (source.output === 'probabilities' && found.probabilities === null)
      return { model, types, input, output: { ...found, logits: null, probabilities: found.name } };
    return { model, types, input, output: found };
  } catch (error) {
    if (error instanceof FoveaError)
      throw new FoveaError(error.code, `${source.name}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** A batch of seeded noise, to see how a model behaves before it is used. */
function noise(count: number, { channels, height, width }: ClassifierInput, from = 0): Tensor {
  const data = Array.from({ length: count }, (_, i) => {
    const random = createRandom(from + i);
    return Float32Array.from({ length: channels * height * width }, () => random.normal());
  });
  return tensor(
    [count, channels, height, width],
    Float32Array.from(data.flatMap((picture) => [...picture])),
  );
}

async function runScores(
  session: Pick<Session, 'run'>,
  feeds: Record<string, RuntimeTensor>,
): Promise<Tensor> {
  const { shape, data } = (await session.run(feeds))[SCORES];
  return { shape, data: data as Float32Array };
}

const ALL: Tail = { score: 'probability', pick: false };

/**
 * Whether pictures get the same scores in a batch as alone, once the graph's batch is declared
 * dynamic.
 */
async function batchIsDynamic(classifier: Classifier, runtime: Runtime): Promise<boolean> {
  const sessions = new ClassifierSessions(classifier, runtime);
  try {
    const session = sessions.get('plain', ALL);
    const both = await runScores(session, batchFeeds(noise(2, classifier.input)));
    for (const i of [0, 1]) {
      const alone = await runScores(session, batchFeeds(noise(1, classifier.input, i)));
      const row = both.data.subarray(i * alone.data.length, (i + 1) * alone.data.length);
      if (both.shape[0] !== 2 || alone.data.some((value, k) => !(Math.abs(value - row[k]) < 1e-4)))
        return false;
    }
    return true;
  } catch {
    return false; // the runtime refuses a batch of two: the model really is of a fixed batch
  } finally {
    await sessions.dispose();
  }
}

/** Opens the batch dimension of a model that was exported with a fixed one, if that can be done. */
async function openBatch(classifier: Classifier, runtime: Runtime): Promise<Classifier> {
  const { model, input } = classifier;
  if (input.fixedBatch === null) return classifier;
  const graph = withDynamicBatch(model.graph, input.fixedBatch);
  const open: Classifier = {
    ...classifier,
    model: { ...model, graph },
    types: inferShapes(graph),
    input: { ...input, fixedBatch: null },
  };
  return (await batchIsDynamic(open, runtime)) ? open : classifier;
}

/**
 * Runs one noise picture: a model that cannot run, or whose answer is no class scores, shows itself
 * here and not later.
 */
async function probe(
  classifier: Classifier,
  sessions: ClassifierSessions,
  name: string,
): Promise<{ classes: number; sumsToOne: boolean }> {
  const { input, output } = classifier;
  const session = sessions.get('plain', {
    score: output.probabilities === null ? 'logit' : 'probability',
    pick: false,
  });
  const { shape, data } = await runScores(session, batchFeeds(noise(input.fixedBatch ?? 1, input)));
  if (shape[1] < 1)
    throw new FoveaError('model', `${name}: no image classifier: it answers no scores`);
  const row = data.subarray(0, shape[1]);
  const sum = row.reduce((total, value) => total + value, 0);
  return {
    classes: shape[1],
    sumsToOne: shape[1] > 1 && row.every((value) => value >= 0) && Math.abs(sum - 1) < 1e-3,
  };
}

/**
 * A classifier from an ONNX file, run by `runtime`. Finds the picture input (NCHW or NHWC, any
 * float type, 1 or 3 channels), the scores, and whether they are logits or probabilities; opens a
 * fixed batch where the graph allows it.
 * @throws FoveaError `model` if the file is damaged or no image classifier.
 */
export async function createOnnxModel(source: OnnxModelSource, runtime: Runtime): Promise<Model> {
  let classifier = await openBatch(inspect(source, readSource(source)), runtime);
  let sessions = new ClassifierSessions(classifier, runtime);
  const { classes, sumsToOne } = await probe(classifier, sessions, source.name).catch(
    async (error) => {
      await sessions.dispose();
      if (!(error instanceof FoveaError))
        throw new FoveaError(
          'model',
          `${source.name}: the model does not run: ${messageOf(error)}`,
          { cause: error },
        );
      throw explainRefusal(error, source.name, classifier.model.graph, runtime.name);
    },
  );
  if (sumsToOne && classifier.output.probabilities === null && source.output === undefined) {
    await sessions.dispose(); // a softmax written out in other operators
    classifier = {
      ...classifier,
      output: { ...classifier.output, logits: null, probabilities: classifier.output.name },
    };
    sessions = new ClassifierSessions(classifier, runtime);
  }
  classifier = { ...classifier, output: { ...classifier.output, classes } };
  const warnings = [...(source.warnings ?? [])];
  const labels = chooseLabels(source, classes, warnings);
  const preprocessing = choosePreprocessing(source, classifier.input, warnings);
  return onnxModel({
    classifier,
    sessions,
    runtime,
    labels,
    preprocessing,
    warnings,
    name: source.name,
    fingerprint: await fingerprintOf(source),
    budget: source.memoryBudget ?? MEMORY_BUDGET,
  });
}

/** sha256 of the file, or of the hashes of all its files where weights lie in others. */
async function fingerprintOf({ bytes, externalData }: OnnxModelSource): Promise<string> {
  const own = await sha256(bytes);
  if (!externalData || externalData.size === 0) return own;
  const names = [...externalData.keys()].sort();
  const others = await Promise.all(
    names.map(async (name) => `${name} ${await sha256(externalData.get(name) as Uint8Array)}`),
  );
  return sha256(new TextEncoder().encode([own, ...others].join('\n')));
}

interface Parts {
  classifier: Classifier;
  sessions: ClassifierSessions;
  runtime: Runtime;
  labels: readonly string[];
  preprocessing: Preprocessing;
  warnings: readonly string[];
  name: string;
  fingerprint: string;
  budget: number;
}

function batchLimit({ model, types, input }: Classifier, budget: number): BatchLimit {
  if (input.fixedBatch !== null) return { size: input.fixedBatch };
  const picture = 4 * sizeOf([input.channels, input.height, input.width]);
  const bytes = OVERHEAD * peakActivationBytes(model.graph, types) + picture;
  return { size: Math.max(1, Math.min(LARGEST_BATCH, Math.floor(budget / bytes))) };
}

function onnxModel({
  classifier,
  sessions,
  runtime,
  labels,
  preprocessing,
  warnings,
  name,
  fingerprint,
  budget,
}: Parts): Model {
  const { model, types, input, output } = classifier;
  const limit = batchLimit(classifier, budget);
  const classes = labels.length;
  const fused =
    (model.graph.opset.get('') ?? 1) >= OLDEST_STAGE_OPSET && (input.fixedBatch ?? 1) === 1;
  let maps: readonly FeatureMap[] | undefined;

  const scoresOf = async (
    stage: Stage,
    tail: Tail,
    feeds: Record<string, RuntimeTensor>,
    rows: number,
  ): Promise<Float32Array> => {
    const { shape, data } = await runScores(sessions.get(stage, tail), feeds);
    const scores = data.subarray(0, rows * shape[1]);
    checkScores(name, scores);
    return scores;
  };
  const classifyBatch = (batch: Tensor, score: ScoreKind) =>
    scoresOf(
      'plain',
      { score, pick: false },
      batchFeeds(padBatch(batch, input.fixedBatch)),
      batch.shape[0],
    );

  const perturbBatch = async (
    { input: picture, baseline, targets, score = 'probability' }: PerturbRequest,
    part: Perturbation,
  ): Promise<Float32Array> => {
    const count = countOf(part);
    if (!fused) {
      const all = await classifyBatch(renderPerturbation(picture, baseline, part), score);
      return Float32Array.from(
        { length: count * targets.length },
        (_, i) => all[Math.floor(i / targets.length) * classes + targets[i % targets.length]],
      );
    }
    const feeds = perturbationFeeds(picture, baseline, part);
    feeds[TARGETS] = {
      type: 'int64',
      shape: [targets.length],
      data: BigInt64Array.from(targets, BigInt),
    };
    return scoresOf(part.kind, { score, pick: true }, feeds, count);
  };

  return {
    name,
    labels,
    preprocessing,
    output: output.probabilities === null ? 'logits' : 'probabilities',
    fingerprint,
    runtime: runtime.name,
    warnings,
    classify: (batch, { score = 'probability', ...run } = {}) =>
      runInBatches(batch.shape[0], classes, limit, run, (from, to) =>
        classifyBatch(rowsOf(batch, from, to), score),
      ),
    perturb: async (request) => {
      checkRequest(request, [input.channels, input.height, input.width], classes);
      return runInBatches(
        countOf(request.perturbation),
        request.targets.length,
        limit,
        request,
        (from, to) => perturbBatch(request, slicePerturbation(request.perturbation, from, to)),
      );
    },
    inside: {
      featureMaps: () => {
        maps ??= findFeatureMaps(model.graph, types, input);
        return maps;
      },
      ...networkParts({ classifier, sessions, name, limit, budget }),
      weightLayers: () => weightLayersOf(model.graph).map((layer) => layer.name),
      randomized: async (layers, random) => {
        const copy = {
          ...classifier,
          model: withGraph(model, withRandomWeights(model.graph, layers, random)),
        };
        const draw = random.fork('fingerprint').integer(2 ** 32);
        const known = {
          runtime,
          labels,
          preprocessing,
          warnings,
          budget,
          name: `${name}, ${layers.length} layers randomised`,
        };
        return onnxModel({
          ...known,
          classifier: copy,
          sessions: new ClassifierSessions(copy, runtime),
          fingerprint: `${fingerprint} randomised ${draw}`,
        });
      },
    },
    dispose: () => sessions.dispose(),
    [Symbol.asyncDispose]: () => sessions.dispose(),
  };
}
